import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The order in which wishes of one row were accepted, told by Postgres: ids begin with the clock of the replica that made
 * them. What the release before writes gets its number from the default; what was written before has none, and comes
 * first. The column has no default when it is added, so that the table is not written anew.
 */
export class WishOrder1763800007000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Without a cache: each session would have numbers of its own to give.
    await runner.query('create sequence seq_wishes_position cache 1');
    await runner.query('alter table wishes add column position bigint');
    await runner.query(`alter table wishes alter column position set default nextval('seq_wishes_position')`);
    await runner.query('alter sequence seq_wishes_position owned by wishes.position');
    await runner.query(
      'create index idx_wishes_open on wishes (aggregate_id, position) where status is null',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index idx_wishes_open');
    await runner.query('alter table wishes drop column position');
  }
}
