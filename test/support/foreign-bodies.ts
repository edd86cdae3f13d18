import { unique } from './app.js';
import type { Side } from './two-services.js';

export type Case = [path: string, body: object, status: number, code: string];

/** What a body may name, with names of the other service. An empty list says that it can name nothing. */
export function bodyCases(theirs: Side, ours: Side): Record<string, Case[]> {
  const { chat, identity, role, serviceRole } = theirs;
  const somebody = () => ({ kind: 'customer', externalId: unique('cust') });
  const withPerson = (person: object) => ({ participants: [somebody(), person] });
  const strangers: [object, number, string][] = [
    [{ identityId: identity.id }, 400, 'validation_failed'],
    [{ ...somebody(), role: role.twilioSid }, 400, 'validation_failed'],
    [{ ...somebody(), role: role.friendlyName }, 400, 'validation_failed'],
    [
      { address: '+15551112222', proxyAddress: '+15553334444', identityId: identity.id },
      400,
      'validation_failed',
    ],
  ];
  const people = (path: () => string, wrap: (person: object) => object): Case[] =>
    strangers.map(([person, status, code]) => [path(), wrap(person), status, code]);
  const actors = [chat.ada.id, chat.ada.twilioSid, identity.externalId];
  const ourChat = ours.chat.path;
  const ourMessage = `${ourChat}/messages/${ours.message.id}`;
  const missing = 'participant_not_found';
  return {
    'post /v1/conversations': people(() => '/v1/conversations', withPerson),
    'put /v1/conversations/by-ref/{externalRef}': people(
      () => `/v1/conversations/by-ref/${unique('case')}`,
      withPerson,
    ),
    'patch /v1/conversations/{conversation}': [],
    'post /v1/conversations/{conversation}/close': [],
    'post /v1/conversations/{conversation}/transfer': [
      ...actors.map((from): Case => [`${ourChat}/transfer`, { from, to: somebody() }, 404, missing]),
      ...people(
        () => `${ourChat}/transfer`,
        (to) => ({ from: ours.chat.ada.id, to }),
      ),
    ],
    'post /v1/conversations/{conversation}/participants': people(
      () => `${ourChat}/participants`,
      (person) => person,
    ),
    'patch /v1/conversations/{conversation}/participants/{participant}': [
      [`${ourChat}/participants/${ours.chat.bob.id}`, { role: role.twilioSid }, 400, 'validation_failed'],
      [`${ourChat}/participants/${ours.chat.bob.id}`, { role: role.friendlyName }, 400, 'validation_failed'],
    ],
    'post /v1/conversations/{conversation}/system-messages': [],
    'post /v1/conversations/{conversation}/messages': actors.map((author): Case => {
      return [`${ourChat}/messages`, { author, body: 'x' }, 404, missing];
    }),
    'patch /v1/conversations/{conversation}/messages/{message}': actors.map((actor): Case => {
      return [ourMessage, { body: 'x', actor }, 404, missing];
    }),
    'post /v1/identities': [
      ['/v1/identities', { ...somebody(), serviceRole: serviceRole.twilioSid }, 400, 'validation_failed'],
    ],
    'patch /v1/identities/{identity}': [],
    'post /v1/identities/{identity}/erase': [],
    'put /v1/identities/{identity}/service-role': [
      [
        `/v1/identities/${ours.identity.id}/service-role`,
        { role: serviceRole.twilioSid },
        400,
        'validation_failed',
      ],
    ],
    'post /v1/drift/repair': [chat.id, chat.twilioSid].map((name): Case => {
      return ['/v1/drift/repair', { conversations: [name] }, 404, 'not_found'];
    }),
    'post /v1/roles': [],
    'patch /v1/roles/{sid}': [],
    'post /v1/tokens': [
      ['/v1/tokens', { identityId: identity.id }, 404, 'not_found'],
      ['/v1/tokens', { externalId: identity.externalId }, 404, 'not_found'],
      ...[chat.id, chat.twilioSid].map((conversationId): Case => {
        return ['/v1/tokens', { identityId: ours.identity.id, conversationId }, 404, 'not_found'];
      }),
    ],
    'post /v1/api-keys': [
      ['/v1/api-keys', { name: 'x', scopes: ['admin'], serviceId: theirs.serviceId }, 404, 'not_found'],
    ],
    'post /v1/services': [['/v1/services', { twilioSid: theirs.serviceSid }, 403, 'missing_scope']],
    'patch /v1/services/{id}': [],
    // A credential of its own: there is no key of ours to try it with.
    'post /v1/tokens/refresh': [],
    // Neither does a key of ours stand for a login of theirs.
    'post /v1/tokens/exchange': [
      ['/v1/tokens/exchange', { serviceId: theirs.serviceId }, 401, 'unauthorized'],
    ],
  };
}

/** Bodies that name things by the caller's own ids alone: held below, in "the same names" in `test/e2e/isolation.spec.ts`. */
export const OWN_NAMES = ['put /v1/identities/by-external-id/{externalId}', 'post /v1/identities/import'];
