import { OPEN_MAX, openOf } from './open-conversations.js';

/**
 * Writes conversations that are wanted, with participants, greeting, wish and lease, and the identities that are not
 * known yet. Parameters: the conversations, their people and their greetings as JSON arrays, the lease in milliseconds.
 *
 * One that the rows refuse (its key or its externalRef is another's; somebody is unknown, suspended, of another kind or
 * named twice, or in too many open conversations) is left out, and nothing of it is written. All statements of a query see the rows as they were when it
 * began: where somebody else was faster since, all is undone (`raced`), and the next try sees him.
 *
 * Rows are looked up one by one (lateral, limit), as Postgres takes any JSON array to be a hundred rows long, and would
 * rather read whole tables. Known identities are locked as `people.ts` says, so that who is being suspended or erased is not brought in meanwhile.
 */
export const PROVISION = `
  with plan as materialized (
    select * from json_to_recordset($1::json) as p (conversation uuid, service uuid, ref text, name text,
      attributes json, timers jsonb, token uuid, at timestamptz, wish uuid, request_id text, instance text,
      location text, key text, body text)),
  wanted as materialized (
    select w.*, plan.service, plan.at
    from json_to_recordset($2::json) as w (conversation uuid, participant uuid, identity uuid, named text, made uuid,
      twilio_identity text, kind text, display_name text, address text, proxy_address text, projected_address text,
      role text, role_sid text, attributes json, count boolean)
    join plan using (conversation)),
  by_name as (
    select w.conversation, w.participant, i.* from wanted w cross join lateral (
      select *, case when w.count then ${openOf('identities.id')} end as open
      from identities where service_id = w.service and external_id = w.named for key share) i),
  by_id as (
    select w.conversation, w.participant, i.* from wanted w cross join lateral (
      select *, case when w.count then ${openOf('identities.id')} end as open
      from identities where id = w.identity and service_id = w.service and deleted_at is null for key share) i),
  known as materialized (select * from by_name union all select * from by_id),
  refused as materialized (
    select conversation, 1 as rank, 'key' as why from plan
    where key is not null and (
      select true from wishes w where w.service_id = service and w.idempotency_hash = decode(key, 'hex') limit 1)
    union all
    select w.conversation, 2, 'people' from wanted w left join known k using (participant)
    where coalesce(w.named, w.identity::text) is not null
      and case when k.id is null then w.kind is null or w.named is null
        else k.status <> 'active' or k.kind <> coalesce(w.kind, k.kind) or coalesce(k.open, 0) >= ${OPEN_MAX} end
    union all
    select conversation, 2, 'people' from known group by conversation, id having count(*) > 1
    union all
    select conversation, 3, 'ref' from plan
    where ref is not null and (
      select true from conversations c
      where c.service_id = service and c.external_ref = ref and c.state not in ('failed', 'deleted') limit 1)),
  accepted as materialized (
    select * from plan where not exists (select from refused r where r.conversation = plan.conversation)),
  made as (
    insert into identities (id, service_id, kind, external_id, display_name, twilio_identity, created_at, updated_at)
    select distinct on (w.service, w.named) w.made, w.service, w.kind, w.named, w.display_name, w.twilio_identity,
      w.at, w.at
    from wanted w join accepted using (conversation)
    where w.named is not null and not exists (select from known k where k.participant = w.participant)
    order by w.service, w.named
    on conflict (service_id, external_id) do nothing
    returning *),
  person as materialized (
    select * from known
    union all
    select w.conversation, w.participant, made.*, null from wanted w join accepted using (conversation)
    join made on made.service_id = w.service and made.external_id = w.named),
  wished as (
    insert into wishes (id, service_id, aggregate, aggregate_id, kind, request_id, instance, location,
      idempotency_hash, request_hash)
    select wish, service, 'conversation', conversation, 'provision', request_id, instance, location,
      decode(key, 'hex'), decode(body, 'hex')
    from accepted order by key
    on conflict (service_id, idempotency_hash) where idempotency_hash is not null do nothing
    returning id),
  conversation as (
    insert into conversations (id, service_id, external_ref, friendly_name, attributes, timers, state, lease_token,
      due_at, unsettled_since, created_at, updated_at)
    select conversation, service, ref, name, attributes,
      coalesce(timers, (select jsonb_strip_nulls(default_timers) from chat_services where id = service), '{}'),
      'provisioning', token, clock_timestamp() + $4::float8 * interval '1 millisecond', now(), at, at
    from accepted order by ref
    on conflict (service_id, external_ref) where state not in ('failed', 'deleted') do nothing
    returning id, timers),
  participant as (
    insert into participants (id, conversation_id, identity_id, kind, address, proxy_address, projected_address, role,
      role_sid, attributes, state, created_at, updated_at)
    select w.participant, w.conversation, p.id, coalesce(p.kind, w.kind, 'customer'), w.address, w.proxy_address,
      w.projected_address, case when w.address is null then coalesce(w.role, p.kind, w.kind, 'customer') end,
      w.role_sid, w.attributes, 'pending', w.at, w.at
    from wanted w join accepted using (conversation) left join person p using (participant)),
  greeting as (
    insert into messages (id, conversation_id, purpose, body, attributes, state, created_at, updated_at)
    select g.id, g.conversation, 'greeting', g.body, g.attributes, 'sending', a.at, a.at
    from json_to_recordset($3::json) as g (conversation uuid, id uuid, body text, attributes json)
    join accepted a using (conversation)),
  lost as (
    select raced() where
      (select count(*) from wished) + (select count(*) from conversation) < 2 * (select count(*) from accepted)
      or exists (
        select from wanted w join accepted using (conversation)
        where w.named is not null and not exists (select from person p where p.participant = w.participant)))
  select plan.conversation, (select why from refused r where r.conversation = plan.conversation order by rank limit 1)
      as refused,
    conversation.timers, person.participant, person.id, person.service_id as "serviceId", person.kind,
    person.external_id as "externalId", person.display_name as "displayName",
    person.twilio_identity as "twilioIdentity", person.twilio_sid as "twilioSid",
    person.service_role as "serviceRole", person.attributes, person.status, person.created_at as "createdAt",
    person.updated_at as "updatedAt", person.open
  from plan left join conversation on conversation.id = plan.conversation
  left join person on person.conversation = plan.conversation
  where (select count(*) from lost) = 0`;
