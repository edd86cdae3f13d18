import type { MessagingBinding, Records } from '../store/records.js';
import { fail } from '../api/errors.js';
import type { forms } from '../api/forms.js';
import type { Values } from '../api/parameters.js';
import type { Call, Plan } from './call.js';
import { childOf, openConversationOf, refuseEmpty, touched } from './call.js';
import { addressBinding, projectedBinding } from './binding.js';
import { refuseBoundPair } from './participants.js';
import { roleFor } from './roles.js';
import { checkIdentity, userChanges } from './users.js';

type Form = Values<(typeof forms)['participantUpdate']>;

export function updateParticipant(call: Call<Form>): Plan {
  const { form, store, service, clock } = call;
  refuseEmpty(form);
  const conversation = openConversationOf(call, 'ConversationSid');
  const before = childOf(call, 'participant', conversation);
  const now = clock.now();
  const identity = addedIdentity(call, before);
  const record: Records['participant'] = {
    ...before,
    ...touched(before, now, form),
    identity: identity ?? before.identity,
    attributes: form.Attributes ?? before.attributes,
    messaging_binding: changedBinding(call, before),
    role_sid:
      form.RoleSid === undefined
        ? before.role_sid
        : roleFor(store, service.sid, form.RoleSid, 'conversation', 50109),
    ...readHorizon(form, before, conversation, now),
  };
  const users = identity === undefined ? [] : userChanges(store, service, identity, now);
  return {
    changes: [...users, { kind: 'participant', record }],
    answer: record,
    intent: { event: 'onParticipantUpdate', record },
    conversation: conversation.sid,
  };
}

/** Twilio: an identity may be added to a standalone projected address, and never changed. */
function addedIdentity({ form, store }: Call<Form>, before: Records['participant']): string | undefined {
  const identity = form.Identity;
  if (identity === undefined || identity === before.identity) return undefined;
  if (before.identity !== null || before.messaging_binding?.projected_address === undefined)
    throw fail(50444);
  checkIdentity(identity);
  if (store.memberByIdentity(before.conversation_sid, identity) !== undefined) throw fail(50433);
  return identity;
}

/** The literal text `null` takes a proxy or a projected address away (Twilio). */
function changedBinding(
  { form, store, config }: Call<Form>,
  before: Records['participant'],
): MessagingBinding | null {
  const proxy = form['MessagingBinding.ProxyAddress'];
  const projected = form['MessagingBinding.ProjectedAddress'];
  const binding = before.messaging_binding;
  if (proxy !== undefined) {
    if (binding?.address === undefined) throw fail(50441);
    if (proxy === 'null') throw fail(50440);
    if (proxy === binding.proxy_address) return binding;
    const changed = addressBinding(binding.address, proxy, config);
    refuseBoundPair(store, binding.address, proxy);
    return changed;
  }
  if (projected === undefined) return binding;
  if (binding?.address !== undefined)
    throw fail(50441, 'A projected address cannot be added to this participant');
  if (projected !== 'null') {
    const holder = store.memberByAddress(before.conversation_sid, projected);
    if (holder !== undefined && holder.sid !== before.sid) throw fail(50437);
    return projectedBinding(projected, config);
  }
  if (before.identity === null) throw fail(50440, 'A participant needs an identity or an address');
  return null;
}

/** How far somebody has read: an index the conversation has reached, and when. */
export function readHorizon(
  form: { LastReadMessageIndex?: number; LastReadTimestamp?: number },
  before: Records['participant'],
  conversation: Records['conversation'],
  now: number,
): Pick<Records['participant'], 'last_read_message_index' | 'last_read_timestamp'> {
  const index = form.LastReadMessageIndex;
  const { last_read_message_index, last_read_timestamp } = before;
  if (index === undefined) {
    return { last_read_message_index, last_read_timestamp: form.LastReadTimestamp ?? last_read_timestamp };
  }
  if (index >= conversation.next_message_index) {
    throw fail(50421, `Last read message index ${index} is beyond the last message`);
  }
  return { last_read_message_index: index, last_read_timestamp: form.LastReadTimestamp ?? now };
}
