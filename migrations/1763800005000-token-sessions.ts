import type { MigrationInterface, QueryRunner } from 'typeorm';

const UP = [
  // Gone with the person, and with the conversation: a session that is bound to one must not outlive it unbound.
  `create table token_sessions (
    id uuid constraint pk_token_sessions primary key,
    service_id uuid not null constraint fk_token_sessions_service references chat_services,
    identity_id uuid not null
      constraint fk_token_sessions_identity references identities on delete cascade,
    conversation_id uuid
      constraint fk_token_sessions_conversation references conversations on delete cascade,
    ttl_seconds integer not null,
    push_credential_sid text,
    family_hash bytea not null constraint uq_token_sessions_family_hash unique,
    token_hash bytea not null,
    expires_at timestamptz(3) not null,
    refreshed_at timestamptz(3),
    ended_at timestamptz(3),
    end_reason text constraint ck_token_sessions_end_reason check (end_reason in ('revoked', 'reused')),
    created_at timestamptz(3) not null default now(),
    constraint ck_token_sessions_ended check ((ended_at is null) = (end_reason is null))
  )`,
  `create index idx_token_sessions_identity on token_sessions (identity_id, id)`,
  `create index idx_token_sessions_conversation on token_sessions (conversation_id)
    where conversation_id is not null`,
  `create index idx_token_sessions_over on token_sessions (least(expires_at, ended_at))`,
  // A refresh token that was used a moment ago, and what was given for it: readable by its holder alone.
  `create table token_session_graces (
    session_id uuid not null
      constraint fk_token_session_graces_session references token_sessions on delete cascade,
    used_hash bytea not null,
    successor bytea not null,
    until timestamptz(3) not null,
    constraint pk_token_session_graces primary key (session_id, used_hash)
  )`,
  `create index idx_token_session_graces_until on token_session_graces (until)`,
];

export class TokenSessions1763800005000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table token_session_graces, token_sessions');
  }
}
