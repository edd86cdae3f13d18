import { sampleBody, type SampleChat } from './sample-chat.js';

export interface Started {
  baseUrl: string;
  docsUrl: string;
  sandboxUrl: string;
  apiKey: string;
  /** Where Postgres is, in words. */
  postgres: string;
  resultFile: string;
  chat: SampleChat;
}

/** What quickstart says when all is up. The curl line is one line, to be copied as it is. */
export function banner(started: Started): string {
  const { chat } = started;
  const people = chat.participants.map(({ role, identity }) =>
    row(role, `${identity?.displayName} (${identity?.externalId})`),
  );
  return [
    '',
    'A sample chat was provisioned over HTTP, with one call:',
    row('conversation', `${chat.id}, at Twilio ${chat.twilioSid}`),
    ...people,
    row('greeting', `"${chat.systemMessage?.body}", by the system`),
    '',
    'Convoke is up. Its Twilio is the sandbox: no account, nothing is sent to anybody.',
    row('API', started.baseUrl),
    row('docs', started.docsUrl),
    row('sandbox', started.sandboxUrl),
    row('Postgres', started.postgres),
    row('API key', started.apiKey),
    row('all of it', started.resultFile),
    '',
    'Provision another one:',
    '',
    curlLine(started),
    '',
  ].join('\n');
}

function row(label: string, text: string): string {
  return `  ${label.padEnd(14)}${text}`;
}

function curlLine({ baseUrl, apiKey }: Started): string {
  return (
    `curl -sS ${baseUrl}/v1/conversations -H 'Authorization: Bearer ${apiKey}' ` +
    `-H 'Content-Type: application/json' -d '${JSON.stringify(sampleBody())}'`
  );
}
