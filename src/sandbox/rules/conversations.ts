import type { ConversationState, EmailBinding, Records } from '../store/records.js';
import { looksLikeSid, newSid } from '../store/sid.js';
import { fail } from '../api/errors.js';
import type { forms } from '../api/forms.js';
import type { Values } from '../api/parameters.js';
import { secondsOf } from '../api/parameters.js';
import type { Call, Plan } from './call.js';
import { conversationOf, refuseClosed, refuseEmpty, touched } from './call.js';

type Form = Values<(typeof forms)['conversation']>;

export const fetchConversation = (call: Call): Records['conversation'] => conversationOf(call, 'Sid');

export function createConversation(call: Call<Form>): Plan {
  const record = newConversation(call);
  return {
    changes: [{ kind: 'conversation', record }],
    answer: record,
    intent: { event: 'onConversationAdd', record },
  };
}

export function newConversation(call: Call<Form>, by = 'system'): Records['conversation'] {
  const { store, config, service, form } = call;
  const now = call.clock.now();
  const account = store.get('account', config.accountSid);
  const state = stateOnCreate(form);
  const created = form.DateCreated ?? now;
  // Written out, without spreads: this is the hottest record, and a literal is made in one step.
  return {
    sid: newSid('CH'),
    date_created: created,
    date_updated: form.DateUpdated ?? created,
    created_event_id: 0,
    event_id: 0,
    chat_service_sid: service.sid,
    messaging_service_sid: form.MessagingServiceSid ?? account?.default_messaging_service_sid ?? '',
    friendly_name: form.FriendlyName ?? null,
    unique_name: uniqueName(call, undefined) ?? null,
    attributes: form.Attributes ?? '{}',
    state,
    inactive_after: timerOf(form['Timers.Inactive'], account?.default_inactive_timer),
    closed_after: timerOf(form['Timers.Closed'], account?.default_closed_timer),
    state_since: now,
    bindings: emailBinding(form, {}),
    created_by: by,
    next_message_index: 0,
    last_activity: now,
    activity_event_id: 0,
  };
}

/** Twilio: none is created closed (50384), and a timer needs a State beside it (50382). */
function stateOnCreate(form: Form): ConversationState {
  const timers = form['Timers.Inactive'] !== undefined || form['Timers.Closed'] !== undefined;
  if (form.State === undefined && timers) throw fail(50382);
  if (form.State === 'closed') throw fail(50384);
  if (form.State === 'initializing') throw fail(50378, 'A Conversation cannot be created initializing');
  return form.State ?? 'active';
}

/** The seconds given; else those of the account's default. */
function timerOf(given: number | null | undefined, standard: string | null | undefined): number | null {
  if (given !== undefined) return given;
  return standard == null ? null : (secondsOf(standard) ?? null);
}

function uniqueName(
  { store, service, form }: Call<Form>,
  own: Records['conversation'] | undefined,
): string | null | undefined {
  const name = form.UniqueName;
  if (name === undefined || name === '') return name === undefined ? undefined : null;
  if (looksLikeSid('CH', name)) throw fail(50390, `Unique name ${name} looks like a Conversation SID`);
  const holder = store.conversationByName(service.sid, name);
  if (holder !== undefined && holder.sid !== own?.sid) throw fail(50353);
  return name;
}

function emailBinding(form: Form, before: EmailBinding): EmailBinding {
  const address = form['Bindings.Email.Address'];
  const name = form['Bindings.Email.Name'];
  if (address === undefined && name === undefined) return before;
  return {
    email: { address: address ?? before.email?.address ?? null, name: name ?? before.email?.name ?? null },
  };
}

export function updateConversation(call: Call<Form>): Plan {
  const { form, clock } = call;
  refuseEmpty(form, 50347);
  const before = fetchConversation(call);
  refuseClosed(before);
  if (form.State === 'initializing') throw fail(50378, 'A Conversation cannot turn initializing');
  const name = uniqueName(call, before);
  const restarted =
    (form.State !== undefined && form.State !== before.state) ||
    form['Timers.Inactive'] !== undefined ||
    form['Timers.Closed'] !== undefined;
  const now = clock.now();
  const record: Records['conversation'] = {
    ...before,
    ...touched(before, now, form),
    friendly_name: form.FriendlyName ?? before.friendly_name,
    unique_name: name === undefined ? before.unique_name : name,
    attributes: form.Attributes ?? before.attributes,
    messaging_service_sid: form.MessagingServiceSid ?? before.messaging_service_sid,
    state: form.State ?? before.state,
    inactive_after: kept(form['Timers.Inactive'], before.inactive_after),
    closed_after: kept(form['Timers.Closed'], before.closed_after),
    state_since: restarted ? now : before.state_since,
    bindings: emailBinding(form, before.bindings),
  };
  return {
    changes: [{ kind: 'conversation', record }],
    answer: record,
    intent: { event: 'onConversationUpdate', record },
    conversation: record.sid,
  };
}

const kept = (given: number | null | undefined, before: number | null): number | null =>
  given === undefined ? before : given;

/** A record in another state, as timers, messages and the background work of the API make it. */
export function inState(
  conversation: Records['conversation'],
  state: ConversationState,
  now: number,
): Records['conversation'] {
  return { ...conversation, state, state_since: now, date_updated: now };
}

export function deleteConversation(call: Call): Plan {
  const record = fetchConversation(call);
  return {
    changes: [{ kind: 'conversation', sid: record.sid }],
    intent: { event: 'onConversationRemove', record },
  };
}
