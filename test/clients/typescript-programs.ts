/** What a backend does in a case from its beginning to its end, with a client that openapi-typescript makes the types of. */
export const OPENAPI_FETCH = `
import createClient from 'openapi-fetch';
import type { components, paths } from './schema.js';

type Participant = components['schemas']['Participant'];

const [baseUrl = '', key = '', externalRef = ''] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { authorization: 'Bearer ' + key } });

function must<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

const [ada, lin, bob] = ['ada', 'lin', 'bob'].map((name) => externalRef + '-' + name) as [string, string, string];
const idsOf = (people: Participant[]) =>
  people.map(({ identity }) => identity?.externalId?.replace(externalRef + '-', '') ?? null).sort();

const provision = async () =>
  must(
    await client.POST('/v1/conversations', {
      body: {
        externalRef,
        participants: [
          { kind: 'agent', externalId: ada, displayName: 'Ada' },
          { kind: 'customer', externalId: bob, displayName: 'Bob' },
        ],
        systemMessage: { body: 'Ada will be with you shortly.' },
      },
      params: { header: { 'Idempotency-Key': externalRef } },
    }),
  );
const made = await provision();
const again = await provision();
const params = { path: { conversation: made.id } };
const transferred = must(
  await client.POST('/v1/conversations/{conversation}/transfer', {
    params,
    body: {
      from: ada,
      to: { kind: 'agent', externalId: lin, displayName: 'Lin' },
      systemMessage: { body: 'Lin takes over.' },
    },
  }),
);
const sent = must(
  await client.POST('/v1/conversations/{conversation}/messages', { params, body: { author: bob, body: 'Hello Lin' } }),
);
const listed = must(await client.GET('/v1/conversations/{conversation}/messages', { params }));
const transcript = must(await client.GET('/v1/conversations/{conversation}/transcript', { params }));
if (typeof transcript === 'string') throw new Error('JSON was asked for.');
const closed = must(
  await client.POST('/v1/conversations/{conversation}/close', { params, body: { systemMessage: { body: 'Good bye.' } } }),
);
const late = await client.POST('/v1/conversations/{conversation}/messages', { params, body: { author: bob, body: 'Wait' } });
const identity = made.participants.find(({ kind }) => kind === 'customer')?.identity?.id ?? '';
const receipt = must(
  await client.POST('/v1/identities/{identity}/erase', {
    params: { path: { identity } },
    body: { messages: 'delete' },
  }),
);
const erased = must(await client.GET('/v1/identities/{identity}', { params: { path: { identity } } }));
console.log(
  JSON.stringify({
    provisioned: { state: made.state, people: idsOf(made.participants) },
    replayed: again.id === made.id,
    transferred: idsOf(transferred.participants),
    sent: { state: sent.state, author: sent.author.identity?.displayName ?? null },
    listed: listed.data.map(({ body }) => body),
    transcript: transcript.messages.map(({ author, body }) => [author.identity?.displayName ?? author.type, body]),
    closed: closed.state,
    refused: late.error?.code ?? null,
    receipt: 'hash' in receipt && receipt.identityId === identity,
    erased: { status: erased.status, externalId: erased.externalId },
  }),
);
`;

/** The same with what @hey-api/openapi-ts makes: a function for each operation. */
export const HEY_API = `
import { client } from './hey/client.gen.js';
import {
  closeConversation,
  eraseIdentity,
  getIdentity,
  getTranscript,
  listMessages,
  provisionConversation,
  sendMessage,
  transferConversation,
} from './hey/sdk.gen.js';
import type { Conversation, ErasureReceipt, Identity, Participant } from './hey/types.gen.js';

const [baseUrl = '', key = '', externalRef = ''] = process.argv.slice(2);
client.setConfig({ baseUrl, auth: key });

const [ada, lin, bob] = ['ada', 'lin', 'bob'].map((name) => externalRef + '-' + name) as [string, string, string];
const idsOf = (people: Participant[]) =>
  people.map(({ identity }) => identity?.externalId?.replace(externalRef + '-', '') ?? null).sort();

const provision = async (): Promise<Conversation> => {
  const { data } = await provisionConversation({
    headers: { 'Idempotency-Key': externalRef },
    body: {
      externalRef,
      participants: [
        { kind: 'agent', externalId: ada, displayName: 'Ada' },
        { kind: 'customer', externalId: bob, displayName: 'Bob' },
      ],
      systemMessage: { body: 'Ada will be with you shortly.' },
    },
    throwOnError: true,
  });
  return data;
};
const made = await provision();
const again = await provision();
const path = { conversation: made.id };
const { data: transferred } = await transferConversation({
  path,
  body: {
    from: ada,
    to: { kind: 'agent', externalId: lin, displayName: 'Lin' },
    systemMessage: { body: 'Lin takes over.' },
  },
  throwOnError: true,
});
const { data: sent } = await sendMessage({ path, body: { author: bob, body: 'Hello Lin' }, throwOnError: true });
const { data: listed } = await listMessages({ path, throwOnError: true });
const { data: transcript } = await getTranscript({ path, throwOnError: true });
const { data: closed } = await closeConversation({
  path,
  body: { systemMessage: { body: 'Good bye.' } },
  throwOnError: true,
});
const late = await sendMessage({ path, body: { author: bob, body: 'Wait' } });
const identity = made.participants.find(({ kind }) => kind === 'customer')?.identity?.id ?? '';
const { data: receipt } = await eraseIdentity({ path: { identity }, body: { messages: 'delete' }, throwOnError: true });
const isReceipt = (data: ErasureReceipt | Identity): data is ErasureReceipt => 'hash' in data;
const { data: erased } = await getIdentity({ path: { identity }, throwOnError: true });
console.log(
  JSON.stringify({
    provisioned: { state: made.state, people: idsOf(made.participants) },
    replayed: again.id === made.id,
    transferred: idsOf(transferred.participants),
    sent: { state: sent.state, author: sent.author.identity?.displayName ?? null },
    listed: listed.data.map(({ body }) => body),
    transcript: transcript.messages.map(({ author, body }) => [author.identity?.displayName ?? author.type, body]),
    closed: closed.state,
    refused: late.error?.code ?? null,
    receipt: isReceipt(receipt) && receipt.identityId === identity,
    erased: { status: erased.status, externalId: erased.externalId },
  }),
);
`;
