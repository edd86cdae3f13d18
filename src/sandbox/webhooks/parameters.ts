import type { Kind, Records } from '../store/records.js';
import type { Store } from '../store/store.js';
import { iso } from '../api/dates.js';

/** What a webhook says about each kind of object, under Twilio's names; null is left out. */
export type Said = Record<string, string | number | boolean | null | undefined>;

/** Before a change there is no sid and no date yet; after a removal there is a date more. */
export type Stage = 'adding' | 'changing' | 'added' | 'updated' | 'removed';

type Describe<K extends Kind> = (record: Records[K], stage: Stage, store: Store, now: number) => Said;

const known = (stage: Stage): boolean => stage !== 'adding';

function dates(record: Records[Kind], stage: Stage, now: number): Said {
  if (!known(stage)) return {};
  return {
    DateCreated: iso(record.date_created),
    ...(stage === 'added' ? {} : { DateUpdated: iso(record.date_updated) }),
    ...(stage === 'removed' ? { DateRemoved: iso(now) } : {}),
  };
}

const messagingServiceOf = (store: Store, conversation: string): string | undefined =>
  store.get('conversation', conversation)?.messaging_service_sid;

const conversation: Describe<'conversation'> = (record, stage, _store, now) => ({
  ...(known(stage) ? { ConversationSid: record.sid } : {}),
  ...dates(record, stage, now),
  ...(stage === 'added' ? { DateUpdated: iso(record.date_updated) } : {}),
  FriendlyName: record.friendly_name,
  UniqueName: record.unique_name,
  Attributes: record.attributes,
  ChatServiceSid: record.chat_service_sid,
  MessagingServiceSid: record.messaging_service_sid,
  State: record.state,
});

const message: Describe<'message'> = (record, stage, store, now) => ({
  ConversationSid: record.conversation_sid,
  Body: record.body,
  Author: record.author,
  ParticipantSid: record.participant_sid,
  Attributes: record.attributes,
  Media: record.media === null ? null : JSON.stringify(record.media),
  ...(known(stage)
    ? {
        MessageSid: record.sid,
        Index: record.index,
        MessagingServiceSid: messagingServiceOf(store, record.conversation_sid),
      }
    : {}),
  ...dates(record, stage, now),
});

const participant: Describe<'participant'> = (record, stage, _store, now) => ({
  ConversationSid: record.conversation_sid,
  Identity: record.identity,
  RoleSid: record.role_sid,
  Attributes: record.attributes,
  'MessagingBinding.ProxyAddress': record.messaging_binding?.proxy_address,
  'MessagingBinding.Address': record.messaging_binding?.address,
  'MessagingBinding.ProjectedAddress': record.messaging_binding?.projected_address,
  'MessagingBinding.Type': record.messaging_binding?.type,
  ...(known(stage) ? { ParticipantSid: record.sid } : {}),
  ...dates(record, stage, now),
  ...(stage === 'updated' ? { LastReadMessageIndex: record.last_read_message_index } : {}),
});

const user: Describe<'user'> = (record, stage, store, now) => {
  const reachable = store.get('service', record.chat_service_sid)?.reachability_enabled === true;
  return {
    ChatServiceSid: record.chat_service_sid,
    UserSid: record.sid,
    Identity: record.identity,
    RoleSid: record.role_sid,
    Attributes: record.attributes,
    FriendlyName: record.friendly_name,
    ...(stage === 'changing' ? { DateUpdated: iso(record.date_updated) } : dates(record, stage, now)),
    ...(stage !== 'changing' && reachable ? { isOnline: false, isNotifiable: false } : {}),
  };
};

const receipt: Describe<'receipt'> = (record) => ({
  ConversationSid: record.conversation_sid,
  ChatServiceSid: record.chat_service_sid,
  MessageSid: record.message_sid,
  DeliveryReceiptSid: record.sid,
  ChannelMessageSid: record.channel_message_sid,
  ParticipantSid: record.participant_sid,
  Status: record.status,
  ErrorCode: record.error_code,
  DateCreated: iso(record.date_created),
  DateUpdated: iso(record.date_updated),
});

export const describe = { conversation, message, participant, user, receipt };
