import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Roles that callers make, and what Twilio was told of people's names.
 *
 * `custom_roles` stands beside `roles`, which holds the presets alone: a release before this one takes every row there
 * for a preset. A deleted row is kept for a while, so that a creation that lands late is known for what it is.
 */
const STATEMENTS = [
  `create table custom_roles (
    id uuid constraint pk_custom_roles primary key,
    service_id uuid not null constraint fk_custom_roles_service references chat_services,
    type text not null constraint ck_custom_roles_type check (type in ('conversation', 'service')),
    friendly_name text not null,
    permissions text[] not null,
    twilio_sid text,
    created_at timestamptz(3) not null default now(),
    deleted_at timestamptz(3),
    constraint uq_custom_roles_twilio_sid unique (service_id, twilio_sid)
  )`,
  // roles_version: raised by every change of a role at Twilio. names_stale: names are to be taken back from Twilio.
  `alter table chat_services
    add column roles_version integer not null default 0,
    add column names_stale boolean not null default false`,
  // A hash instead of the name that Twilio was told, null when it knows none: a person who is erased leaves none behind.
  `alter table identities add column shared_name_hash bigint`,
  `create index idx_identities_name_behind on identities (service_id, id)
    where shared_name_hash is distinct from hashtextextended(display_name, 0)`,
  `create index idx_identities_name_shared on identities (service_id, id) where shared_name_hash is not null`,
];

export class RolesAndNames1763800002000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index idx_identities_name_shared');
    await runner.query('drop index idx_identities_name_behind');
    await runner.query('alter table identities drop column shared_name_hash');
    await runner.query('alter table chat_services drop column names_stale, drop column roles_version');
    await runner.query('drop table custom_roles');
  }
}
