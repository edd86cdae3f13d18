/** The kinds of people, and the conversation role that each has unless another is asked for. */
export const PRESETS = ['agent', 'customer', 'supervisor', 'bot'] as const;

export type Preset = (typeof PRESETS)[number];

export function isPreset(name: string): name is Preset {
  return (PRESETS as readonly string[]).includes(name);
}

const WRITES = ['sendMessage', 'sendMediaMessage'];
const OWN_MESSAGES = ['editOwnMessage', 'editOwnMessageAttributes'];

/**
 * What each preset may do with an access token, in Twilio's names of permissions (type `conversation`). Nobody may
 * delete the conversation from a browser, and a customer may neither leave (he could not come back) nor take back what
 * was said.
 */
export const PRESET_PERMISSIONS: Record<Preset, readonly string[]> = {
  customer: [...WRITES, ...OWN_MESSAGES],
  bot: [...WRITES, ...OWN_MESSAGES, 'editConversationAttributes', 'leaveConversation'],
  agent: [
    ...WRITES,
    ...OWN_MESSAGES,
    'deleteOwnMessage',
    'addParticipant',
    'editConversationAttributes',
    'editConversationName',
    'leaveConversation',
  ],
  supervisor: [
    ...WRITES,
    ...OWN_MESSAGES,
    'deleteOwnMessage',
    'addParticipant',
    'removeParticipant',
    'editConversationAttributes',
    'editConversationName',
    'editAnyMessage',
    'editAnyMessageAttributes',
    'deleteAnyMessage',
    'leaveConversation',
  ],
};
