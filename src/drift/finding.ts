import type {
  ConversationFinding,
  DriftedParticipant,
} from '../conversations/drift/conversation-drift.service.js';
import type { IdentityFinding } from '../identities/identity-drift.service.js';

/** What came of a repair; `pending` goes on without the caller. */
export const OUTCOMES = ['repaired', 'pending', 'left'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** A conversation as findings name it; `id` is null where no row knows it. */
export interface NamedConversation {
  id: string | null;
  twilioSid: string | null;
  externalRef: string | null;
}

export interface NamedIdentity {
  id: string;
  externalId: string | null;
  twilioSid: string | null;
}

/** One difference between our rows and Twilio, of whatever kind. */
export interface Finding {
  kind: ConversationFinding['kind'] | IdentityFinding['kind'] | 'conversation_orphan';
  conversation: NamedConversation | null;
  participant: DriftedParticipant | null;
  message: { id: string; twilioSid: string } | null;
  identity: NamedIdentity | null;
  ours: unknown;
  twilio: unknown;
  repair: ConversationFinding['repair'];
  /** Null in a report. */
  outcome: Outcome | null;
  detail: string | null;
}

type Draft = Pick<Finding, 'kind' | 'ours' | 'twilio' | 'repair'> & Partial<Finding>;

export const findingOf = (draft: Draft): Finding => ({
  conversation: null,
  participant: null,
  message: null,
  identity: null,
  outcome: null,
  detail: null,
  ...draft,
});
