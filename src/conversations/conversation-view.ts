import type { Queryable } from '../database/database.js';
import type { IdentityEntity } from '../identities/identity.entity.js';
import type { ConversationView, ViewedParticipant } from './conversation.dto.js';
import type { ConversationEntity } from './conversation.entity.js';
import type { MessageEntity } from './messages/message.entity.js';
import type { ParticipantEntity } from './participants/participant.entity.js';

const CONVERSATION = `
  select id, service_id as "serviceId", external_ref as "externalRef", friendly_name as "friendlyName", attributes,
    timers, state, twilio_sid as "twilioSid", failure, deleted_at as "deletedAt", created_at as "createdAt",
    updated_at as "updatedAt"
  from conversations where id = $1`;

const GREETING = `
  select id, conversation_id as "conversationId", purpose, author_id as "authorId", body, attributes,
    media_sid as "mediaSid", message_index as "index", state, twilio_sid as "twilioSid", failure,
    created_at as "createdAt", updated_at as "updatedAt"
  from messages where conversation_id = $1 and purpose = 'greeting'`;

const PARTICIPANTS = `
  select id, conversation_id as "conversationId", identity_id as "identityId", kind, address,
    proxy_address as "proxyAddress", projected_address as "projectedAddress", role, role_sid as "roleSid", attributes,
    state, twilio_sid as "twilioSid", failure, created_at as "createdAt", updated_at as "updatedAt"
  from participants where conversation_id = $1 order by id`;

const IDENTITIES = `
  select id, service_id as "serviceId", kind, external_id as "externalId", display_name as "displayName",
    twilio_identity as "twilioIdentity", twilio_sid as "twilioSid", service_role as "serviceRole", attributes, status,
    created_at as "createdAt", updated_at as "updatedAt"
  from identities where id in (select identity_id from participants where conversation_id = $1)`;

/**
 * A conversation as answers show it, read by one connection: that of a transaction, where there is one. A second one out
 * of the pool for each would let transactions wait for one another for ever.
 */
export async function viewConversation(db: Queryable, id: string): Promise<ConversationView | null> {
  const [conversation] = await db.query<ConversationEntity>('conversations.view', CONVERSATION, [id]);
  if (!conversation) return null;
  const [greeting = null] = await db.query<MessageEntity>('conversations.view-greeting', GREETING, [id]);
  return { conversation, greeting, participants: await viewParticipants(db, id) };
}

/** Those who are or were in a conversation, in the order in which they were asked for. */
export async function viewParticipants(db: Queryable, conversationId: string): Promise<ViewedParticipant[]> {
  const values = [conversationId];
  const rows = await db.query<ParticipantEntity>('conversations.view-participants', PARTICIPANTS, values);
  const known = await db.query<IdentityEntity>('conversations.view-identities', IDENTITIES, values);
  const identities = new Map(known.map((identity) => [identity.id, identity]));
  return rows.map((participant) => ({
    participant,
    identity: identities.get(participant.identityId ?? '') ?? null,
  }));
}
