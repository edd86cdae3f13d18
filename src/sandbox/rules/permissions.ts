import type { RoleType } from '../store/records.js';

/** Documented by Twilio for roles of either type. */
const BOTH = [
  'addParticipant',
  'deleteAnyMessage',
  'deleteConversation',
  'editAnyMessage',
  'editAnyMessageAttributes',
  'editAnyUserInfo',
  'editConversationAttributes',
  'editConversationName',
  'editOwnMessage',
  'editOwnMessageAttributes',
  'editOwnUserInfo',
  'removeParticipant',
];

/** Accepted by Twilio although it documents them nowhere. */
const UNDOCUMENTED = [
  'addNonChatParticipant',
  'editAnyParticipantAttributes',
  'editOwnParticipantAttributes',
  'editNotificationLevel',
];

export const PERMISSIONS: Record<RoleType, ReadonlySet<string>> = {
  service: new Set([...BOTH, 'createConversation', 'joinConversation', ...UNDOCUMENTED]),
  conversation: new Set([
    ...BOTH,
    'deleteOwnMessage',
    'leaveConversation',
    'sendMediaMessage',
    'sendMessage',
    ...UNDOCUMENTED,
  ]),
};

/**
 * The roles of a new service. The names are Twilio's; their exact permissions could not be
 * verified, these are the ones Programmable Chat documented, under their new names.
 */
export const DEFAULT_ROLES: readonly { name: string; type: RoleType; permissions: readonly string[] }[] = [
  {
    name: 'service admin',
    type: 'service',
    permissions: [
      'createConversation',
      'joinConversation',
      'deleteConversation',
      'editConversationAttributes',
      'editConversationName',
      'addParticipant',
      'removeParticipant',
      'editAnyMessage',
      'editAnyMessageAttributes',
      'deleteAnyMessage',
      'editAnyUserInfo',
      'editAnyParticipantAttributes',
    ],
  },
  {
    name: 'service user',
    type: 'service',
    permissions: ['createConversation', 'joinConversation', 'editOwnUserInfo'],
  },
  {
    name: 'channel admin',
    type: 'conversation',
    permissions: [
      'sendMessage',
      'sendMediaMessage',
      'leaveConversation',
      'editNotificationLevel',
      'deleteConversation',
      'addParticipant',
      'removeParticipant',
      'editConversationName',
      'editConversationAttributes',
      'editAnyParticipantAttributes',
      'editAnyMessage',
      'editAnyMessageAttributes',
      'deleteAnyMessage',
    ],
  },
  {
    name: 'channel user',
    type: 'conversation',
    permissions: [
      'sendMessage',
      'sendMediaMessage',
      'leaveConversation',
      'editNotificationLevel',
      'editOwnParticipantAttributes',
      'editOwnMessage',
      'editOwnMessageAttributes',
      'deleteOwnMessage',
    ],
  },
];
