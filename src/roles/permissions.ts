import { AppError } from '../common/errors/app-error.js';
import type { RoleType } from '../twilio/twilio.types.js';

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
  // Twilio takes these although it documents them nowhere.
  'addNonChatParticipant',
  'editAnyParticipantAttributes',
  'editNotificationLevel',
  'editOwnParticipantAttributes',
];

/** What roles of each type may hold, in Twilio's names. */
export const PERMISSIONS: Record<RoleType, readonly string[]> = {
  conversation: [...BOTH, 'deleteOwnMessage', 'leaveConversation', 'sendMediaMessage', 'sendMessage'].sort(),
  service: [...BOTH, 'createConversation', 'joinConversation'].sort(),
};

export const ALL_PERMISSIONS: readonly string[] = [...new Set(Object.values(PERMISSIONS).flat())].sort();

/** Refuses permissions that roles of the type do not have, with the list of those that they have. */
export function assertPermissions(type: RoleType, permissions: readonly string[]): void {
  const known = PERMISSIONS[type];
  const message = `is not a permission of ${type} roles; those that exist: ${known.join(', ')}`;
  const errors = permissions.flatMap((name, index) =>
    known.includes(name) ? [] : [{ field: `permissions.${index}`, message }],
  );
  if (errors.length > 0) throw AppError.validation(errors);
}
