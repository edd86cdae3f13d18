import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { canonicalJson } from '../common/http/command.js';
import { DeparturesService } from '../conversations/departures/departures.service.js';
import { Database, type Queryable } from '../database/database.js';
import type { IdentityAttempt } from '../identities/identity-wishes.service.js';
import type { OpenWish, SettledWish } from '../reconciler/wish-store.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import { ErasureStore } from './erasure-store.js';
import type { ErasureReceipt } from './standing.dto.js';

/** Fulfils the wish to erase a person: conversations first, the User after that, what was answered last. */
@Injectable()
export class Erasing {
  constructor(
    private readonly database: Database,
    private readonly store: ErasureStore,
    private readonly departures: DeparturesService,
    private readonly gateway: TwilioGateway,
  ) {}

  async erase(attempt: IdentityAttempt, wish: OpenWish): Promise<SettledWish> {
    const { lease, identity } = attempt;
    const erasure = await this.store.find(this.database, identity.id);
    if (!erasure) throw new Error(`No erasure of identity ${identity.id} has been written.`);
    const location = `/v1/identities/${identity.id}`;
    if (erasure.receipt !== null) return { status: 200, answer: erasure.receipt, location };
    const departing = { lease, serviceId: identity.serviceId, identityId: identity.id, wish };
    await this.departures.forgetAll(departing, erasure.messages);
    await this.deleteUser(attempt);
    const answer = await this.store.finish(lease, (tx, answers) => this.receiptOf(tx, identity.id, answers));
    return { status: 200, answer, location };
  }

  /** After that Twilio is asked once more: a call that was given up may make one yet. */
  private async deleteUser({ lease, at, identity }: IdentityAttempt): Promise<void> {
    const user = await this.gateway.findUser(at, identity.twilioIdentity);
    if (user) {
      await this.store.noteUser(lease);
      await this.gateway.deleteUser(at, user.sid);
    }
    lease.uncertain = true;
  }

  private async receiptOf(tx: Queryable, identityId: string, answers: number): Promise<ErasureReceipt> {
    const erasure = await this.store.find(tx, identityId);
    const tally = await this.departures.tally(tx, identityId);
    const kept = tally.kept.flatMap(({ conversationId, messages, participants }) => [
      { where: `kept: /v1/conversations/${conversationId}/messages`, count: messages },
      { where: `kept: /v1/conversations/${conversationId}/participants`, count: participants },
    ]);
    const items = [
      { where: 'identity', count: 1 },
      { where: 'user', count: erasure?.userFound ? 1 : 0 },
      { where: 'participants', count: tally.participants },
      { where: 'messages', count: tally.messages },
      { where: 'messageCopies', count: tally.copies },
      { where: 'conversations', count: tally.conversations },
      { where: 'answers', count: tally.answers + answers },
      ...kept.filter(({ count }) => count > 0),
    ];
    const content = { identityId, erasedAt: new Date().toISOString(), items };
    return { ...content, hash: createHash('sha256').update(canonicalJson(content)).digest('hex') };
  }
}
