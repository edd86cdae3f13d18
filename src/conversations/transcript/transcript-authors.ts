import { In, type DataSource } from 'typeorm';
import { IdentityEntity } from '../../identities/identity.entity.js';
import type { UpstreamMessage } from '../../twilio/twilio.types.js';
import type { ViewedParticipant } from '../conversation.dto.js';
import { ERASED_AUTHOR } from '../messages/message.entity.js';
import { TranscriptAuthor, type Author } from './transcript.dto.js';

const ADDRESS = /^(\w+:)?\+\d+$/;

/** Whom Twilio's names for authors stand for: those who are or were in, and whoever else is known to the chat service. */
export class TranscriptAuthors {
  private readonly known = new Map<string, Author>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly serviceId: string,
    people: readonly ViewedParticipant[],
  ) {
    for (const { participant, identity } of people) {
      const { kind, address } = participant;
      const name = address ?? identity?.twilioIdentity;
      if (name !== undefined) this.known.set(name, { kind, identity, address });
    }
  }

  /** Looks up who wrote these without ever having been let in by us. To be called before `of`. */
  async learn(messages: readonly UpstreamMessage[]): Promise<void> {
    const names = messages.flatMap(({ author }) => (author === null || author === 'system' ? [] : author));
    const unknown = [...new Set(names)].filter((name) => !this.known.has(name));
    const chatting = unknown.filter((name) => !ADDRESS.test(name));
    const identities =
      chatting.length === 0
        ? []
        : await this.dataSource
            .getRepository(IdentityEntity)
            .findBy({ serviceId: this.serviceId, twilioIdentity: In(chatting) });
    for (const identity of identities) {
      this.known.set(identity.twilioIdentity, { kind: identity.kind, identity, address: null });
    }
  }

  of({ author }: UpstreamMessage): TranscriptAuthor {
    if (author === null || author === 'system') return TranscriptAuthor.system();
    if (author === ERASED_AUTHOR) return TranscriptAuthor.erased();
    const address = ADDRESS.test(author) ? author : null;
    return TranscriptAuthor.from(this.known.get(author) ?? { kind: null, identity: null, address });
  }
}
