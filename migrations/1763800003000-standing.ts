import type { MigrationInterface, QueryRunner } from 'typeorm';

const TABLES = [
  // What was asked for, and what came of it. The receipt is text: what was answered once is answered again to the byte.
  `create table erasures (
    identity_id uuid constraint pk_erasures primary key
      constraint fk_erasures_identity references identities on delete cascade,
    messages text not null constraint ck_erasures_messages check (messages in ('keep', 'delete')),
    user_found boolean not null default false,
    receipt text,
    created_at timestamptz(3) not null default now()
  )`,
  // How far an erasure has come in one conversation: there while it is under way, gone with its receipt. No reference to
  // conversations, which may be pruned before that.
  `create table conversation_erasures (
    identity_id uuid not null constraint fk_conversation_erasures_identity references identities on delete cascade,
    conversation_id uuid not null,
    messages integer not null default 0,
    pending text[] not null default '{}',
    refused text[] not null default '{}',
    counts jsonb,
    constraint pk_conversation_erasures primary key (identity_id, conversation_id)
  )`,
  // Answers of commands that changed Postgres alone, found by the resource that they are about.
  `create index idx_wishes_recorded on wishes (location) where aggregate = 'none'`,
];

/** Erasing people: receipts, and what makes an erasure go on where it was. */
export class Standing1763800003000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of TABLES) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index idx_wishes_recorded');
    await runner.query('drop table conversation_erasures, erasures');
  }
}
