import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Columns that every aggregate carries, for the reconciler:
 * `version` is raised by every new wish; `due_at` says when the row next needs somebody: null when settled, the end of
 * the lease while `lease_token` is set, else the time of the next try or of the look for late landings.
 */
const RECONCILED = `
  version integer not null default 1,
  lease_token uuid,
  due_at timestamptz,
  attempts integer not null default 0,
  last_error text,
  verify_after timestamptz,
  unsettled_since timestamptz`;

const TIMES = `
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now()`;

const TABLES = [
  `create table chat_services (
    id uuid constraint pk_chat_services primary key,
    twilio_sid text constraint uq_chat_services_twilio_sid unique,
    friendly_name text,
    share_display_names boolean not null default false,
    default_timers jsonb,
    token_exchange jsonb,
    ${RECONCILED},
    ${TIMES}
  )`,
  `create table api_keys (
    id uuid constraint pk_api_keys primary key,
    key_id text not null constraint uq_api_keys_key_id unique,
    service_id uuid not null constraint fk_api_keys_service references chat_services,
    name text not null,
    scopes text[] not null,
    secret_hash bytea not null,
    expires_at timestamptz(3),
    last_used_at timestamptz(3),
    revoked_at timestamptz(3),
    created_at timestamptz(3) not null default now()
  )`,
  `create index idx_api_keys_service on api_keys (service_id, id)`,
  `create table roles (
    id uuid constraint pk_roles primary key,
    service_id uuid not null constraint fk_roles_service references chat_services,
    preset text not null,
    twilio_sid text,
    created_at timestamptz(3) not null default now(),
    constraint uq_roles_preset unique (service_id, preset)
  )`,
  `create table identities (
    id uuid constraint pk_identities primary key,
    service_id uuid not null constraint fk_identities_service references chat_services,
    kind text not null constraint ck_identities_kind check (kind in ('agent', 'customer', 'supervisor', 'bot')),
    external_id text,
    display_name text,
    twilio_identity text not null,
    twilio_sid text,
    service_role text,
    attributes json not null default '{}',
    status text not null default 'active'
      constraint ck_identities_status check (status in ('active', 'suspended', 'erased')),
    ${RECONCILED},
    ${TIMES},
    constraint uq_identities_external_id unique (service_id, external_id),
    constraint uq_identities_twilio_identity unique (service_id, twilio_identity),
    constraint uq_identities_twilio_sid unique (service_id, twilio_sid)
  )`,
  `create index idx_identities_service on identities (service_id, id)`,
  `create index idx_identities_due_at on identities (due_at) where due_at is not null`,
  `create table conversations (
    id uuid constraint pk_conversations primary key,
    service_id uuid not null constraint fk_conversations_service references chat_services,
    external_ref text,
    friendly_name text,
    attributes json not null default '{}',
    timers jsonb not null default '{}',
    state text not null
      constraint ck_conversations_state check (state in ('provisioning', 'active', 'inactive', 'closed', 'failed', 'deleted')),
    twilio_sid text,
    failure jsonb,
    deleted_at timestamptz(3),
    ${RECONCILED},
    ${TIMES}
  )`,
  // A failed conversation frees its externalRef, and a deleted one once Twilio has confirmed; a closed one keeps it.
  `create unique index uq_conversations_external_ref on conversations (service_id, external_ref)
    where state not in ('failed', 'deleted')`,
  `create unique index uq_conversations_twilio_sid on conversations (service_id, twilio_sid)`,
  `create index idx_conversations_service on conversations (service_id, id)`,
  // For lists, which show failed ones too, and for rare states.
  `create index idx_conversations_external_ref on conversations (service_id, external_ref, id)
    where external_ref is not null`,
  `create index idx_conversations_state on conversations (service_id, state, id)`,
  `create index idx_conversations_due_at on conversations (due_at) where due_at is not null`,
  `create index idx_conversations_failed on conversations (updated_at) where state in ('failed', 'deleted')`,
  `create index idx_chat_services_due_at on chat_services (due_at) where due_at is not null`,
  `create table participants (
    id uuid constraint pk_participants primary key,
    conversation_id uuid not null
      constraint fk_participants_conversation references conversations on delete cascade,
    identity_id uuid constraint fk_participants_identity references identities,
    kind text not null constraint ck_participants_kind check (kind in ('agent', 'customer', 'supervisor', 'bot')),
    address text,
    proxy_address text,
    projected_address text,
    role text,
    role_sid text,
    attributes json not null default '{}',
    state text not null
      constraint ck_participants_state check (state in ('pending', 'joined', 'removing', 'removed', 'failed')),
    twilio_sid text,
    failure jsonb,
    ${TIMES}
  )`,
  `create index idx_participants_conversation on participants (conversation_id, id)`,
  `create index idx_participants_identity on participants (identity_id, conversation_id)`,
  `create index idx_participants_address on participants (identity_id) where address is not null`,
  `create table messages (
    id uuid constraint pk_messages primary key,
    conversation_id uuid not null constraint fk_messages_conversation references conversations on delete cascade,
    purpose text not null constraint ck_messages_purpose check (purpose in ('greeting', 'message')),
    author_id uuid constraint fk_messages_author references participants,
    body text not null,
    attributes json not null default '{}',
    media_sid text,
    message_index integer,
    state text not null constraint ck_messages_state check (state in ('sending', 'sent', 'failed')),
    twilio_sid text,
    failure jsonb,
    ${TIMES}
  )`,
  `create index idx_messages_conversation on messages (conversation_id, id)`,
  `create index idx_messages_twilio_sid on messages (twilio_sid) where twilio_sid is not null`,
  `create index idx_messages_author on messages (author_id) where author_id is not null`,
  // A wish is open while its status is null. `answer` is text: what was answered once is answered again to the byte.
  `create table wishes (
    id uuid constraint pk_wishes primary key,
    service_id uuid not null constraint fk_wishes_service references chat_services,
    aggregate text not null,
    aggregate_id uuid not null,
    kind text not null,
    payload json not null default '{}',
    request_id text not null,
    instance text not null,
    location text,
    idempotency_hash bytea,
    request_hash bytea,
    status smallint,
    answer text,
    trouble text,
    watched boolean not null default false,
    created_at timestamptz(3) not null default now(),
    settled_at timestamptz(3)
  )`,
  `create unique index uq_wishes_idempotency on wishes (service_id, idempotency_hash)
    where idempotency_hash is not null`,
  `create index idx_wishes_aggregate on wishes (aggregate_id, id)`,
  `create index idx_wishes_settled_at on wishes (settled_at) where settled_at is not null`,
];

export class Foundation1763700000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of TABLES) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'drop table wishes, messages, participants, conversations, identities, roles, api_keys, chat_services',
    );
  }
}
