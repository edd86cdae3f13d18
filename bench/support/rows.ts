import pg from 'pg';

/** Conversations of one agent: more than a page. */
export const CHATS_PER_AGENT = 50;
/** Rows that are behind, whose next try is not due yet. */
const UNSETTLED = 20;

/** An id as the service would make it: in the order of creation. */
const id = (table: number, n: string): string =>
  `(lpad(to_hex((1700000000000 + ${n} * 1000) >> 16), 8, '0') || '-' ||
    lpad(to_hex((1700000000000 + ${n} * 1000) & 65535), 4, '0') || '-700${table}-8000-' ||
    lpad(to_hex(${n}), 12, '0'))::uuid`;

const time = "timestamptz 'epoch' + (1700000000 + n) * interval '1 second'";

/**
 * So many identities, and as many conversations, each of a customer of its own, of an agent who has fifty, and of a bot
 * that is in all of them; with a greeting and the wish by which it was made. Most are closed.
 */
const FILL = [
  `insert into identities (id, service_id, kind, external_id, display_name, twilio_identity, created_at, updated_at)
  select ${id(1, 'n')}, $2, case when n % ${CHATS_PER_AGENT} = 0 then 'agent' else 'customer' end, 'person-' || n,
    'Person ' || n, 'cvk_' || n, ${time}, ${time}
  from generate_series(1, $1::bigint) as n`,
  `insert into conversations (id, service_id, external_ref, friendly_name, state, twilio_sid, due_at, unsettled_since,
    created_at, updated_at)
  select ${id(2, 'n')}, $2, 'case-' || n, 'Case ' || n, case when n % 10 = 0 then 'active' else 'closed' end,
    'CH' || lpad(to_hex(n), 32, '0'), case when n % ($1 / ${UNSETTLED}) = 0 then now() + interval '1 day' end,
    case when n % ($1 / ${UNSETTLED}) = 0 then now() end, ${time}, ${time}
  from generate_series(1, $1::bigint) as n where $2::uuid is not null`,
  `insert into participants (id, conversation_id, identity_id, kind, role, state, twilio_sid, created_at, updated_at)
  select ${id(3, '(n * 3 + who)')}, ${id(2, 'n')},
    case who when 0 then ${id(1, 'n')}
      when 1 then ${id(1, `(1 + (n - 1) / ${CHATS_PER_AGENT}) * ${CHATS_PER_AGENT}`)} else ${id(1, '1::bigint')} end,
    (array['customer', 'agent', 'bot'])[who + 1], 'customer', 'joined',
    'MB' || lpad(to_hex(n * 3 + who), 32, '0'), ${time}, ${time}
  from generate_series(1, $1::bigint) as n, generate_series(0, 2) as who where $2::uuid is not null
  order by n, who`,
  `insert into messages (id, conversation_id, purpose, body, message_index, state, twilio_sid, created_at, updated_at)
  select ${id(4, 'n')}, ${id(2, 'n')}, 'greeting', 'Somebody will be with you shortly.', 0, 'sent',
    'IM' || lpad(to_hex(n), 32, '0'), ${time}, ${time}
  from generate_series(1, $1::bigint) as n where $2::uuid is not null`,
  `insert into wishes (id, service_id, aggregate, aggregate_id, kind, request_id, instance, status, answer, created_at,
    settled_at)
  select ${id(5, 'n')}, $2, 'conversation', ${id(2, 'n')}, 'provision', 'x', '/v1/conversations', 201, '{}', now(), now()
  from generate_series(1, $1::bigint) as n`,
];

/** Fills the one chat service of a database that is empty otherwise. */
export async function fill(url: string, count: number): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query<{ id: string }>('select id from chat_services');
  // Foreign keys hold by the way the rows are made; checking each takes longer than all the rest.
  await client.query(`set session_replication_role = replica; set synchronous_commit = off`);
  for (const statement of FILL) await client.query(statement, [count, rows[0]?.id]);
  await client.query('vacuum analyze');
  await client.end();
}
