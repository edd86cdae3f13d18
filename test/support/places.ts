import type { TestApp } from './app.js';

interface Column {
  table_name: string;
  column_name: string;
}

/**
 * Where a text stands: every column of every table of the database, and every object at Twilio, whatever they are called.
 * Case does not count, nor does how JSON writes it.
 */
export async function placesOf(
  { sql, sandbox }: Pick<TestApp, 'sql' | 'sandbox'>,
  text: string,
): Promise<string[]> {
  const columns = (await sql(
    `select table_name, column_name from information_schema.columns where table_schema = 'public' order by 1, 2`,
  )) as Column[];
  const places: string[] = [];
  for (const { table_name, column_name } of columns) {
    const found = await sql(
      `select from "${table_name}" where position(lower($1) in lower("${column_name}"::text)) > 0 limit 1`,
      [text],
    );
    if (found.length > 0) places.push(`${table_name}.${column_name}`);
  }
  const state = await sandbox.control<Record<string, object[]>>('GET', '/sandbox/state?full=true');
  for (const [kind, objects] of Object.entries(state)) {
    if (JSON.stringify(objects).toLowerCase().includes(text.toLowerCase())) places.push(`Twilio: ${kind}`);
  }
  return places;
}
