import { Authentication } from './api/auth.js';
import { FaultyPath } from './api/faulty.js';
import type { Front } from './api/http.js';
import { RateLimit } from './api/limits.js';
import type { SandboxConfig } from './config.js';
import { Faults } from './control/faults.js';
import { RequestLog } from './control/request-log.js';
import { inState } from './rules/conversations.js';
import { Scheduler } from './rules/scheduler.js';
import { newAccount, newService } from './rules/services.js';
import { Clock } from './store/clock.js';
import { JournalFolder } from './store/journal.js';
import type { Change } from './store/store.js';
import { Store } from './store/store.js';
import { Webhooks } from './webhooks/webhooks.js';

const SILENT = { source: 'API', reason: 'API', hooks: false } as const;

/** All parts of a sandbox, put together, without a server in front. */
export class Sandbox implements Front {
  readonly clock = new Clock();
  readonly store = new Store(() => this.clock.now());
  readonly scheduler = new Scheduler(this.store, this.clock);
  readonly faults = new Faults();
  readonly faulty = new FaultyPath();
  readonly log = new RequestLog();
  readonly authentication: Authentication;
  readonly rateLimit: RateLimit;
  readonly prehooks: Webhooks;
  private readonly journal: JournalFolder | null;

  constructor(
    readonly config: SandboxConfig,
    notice: (text: string) => void,
  ) {
    this.authentication = new Authentication(config);
    this.rateLimit = new RateLimit(config.rateLimit);
    this.prehooks = new Webhooks(this.store, config, this.faults, () => this.clock.now());
    const { dataDir, compactBytes } = config;
    this.journal = dataDir === null ? null : new JournalFolder(dataDir, this.store, compactBytes, notice);
    this.store.journal = this.journal;
    this.clock.offset = this.store.get('clock', 'clock')?.offset ?? 0;
    this.ensureAccount();
    this.closeUnfinished();
    this.scheduler.begin();
  }

  /** Empty, as new: nothing that was there, or was still to happen, comes back. */
  reset(): void {
    this.faulty.cancel();
    this.scheduler.clear();
    this.faults.clear();
    this.log.clear();
    this.clock.offset = 0;
    this.store.clear();
    this.journal?.reset();
    this.ensureAccount();
  }

  async stop(): Promise<void> {
    this.faulty.cancel();
    this.scheduler.stop();
    await this.prehooks.stop();
    await this.journal?.close();
  }

  /** A process that died while it was adding participants fails that work, as Twilio's would: closed. */
  private closeUnfinished(): void {
    const now = this.clock.now();
    const left = [...this.store.tables.conversation.values()].filter(({ state }) => state === 'initializing');
    const changes = left.map((one): Change => ({
      kind: 'conversation',
      record: inState(one, 'closed', now),
    }));
    if (changes.length > 0) this.store.commit(changes, { ...SILENT, reason: 'EVENT' });
  }

  /** The account and the configured default service, on a first start and after each reset. */
  private ensureAccount(): void {
    const { accountSid, chatServiceSid, messagingServiceSid } = this.config;
    const now = this.clock.now();
    const account = this.store.get('account', accountSid);
    const [other] = this.store.tables.account.keys();
    if (account === undefined && other !== undefined) {
      throw new Error(`The data folder belongs to account ${other}, not ${accountSid}`);
    }
    if (account === undefined) {
      this.store.commit(newAccount(accountSid, chatServiceSid, messagingServiceSid, now), SILENT);
      return;
    }
    if (this.store.get('service', chatServiceSid) !== undefined) return;
    const record = { ...account, default_chat_service_sid: chatServiceSid };
    const service = newService(chatServiceSid, 'Default Conversations Service', now);
    this.store.commit([...service, { kind: 'account', record } satisfies Change], SILENT);
  }
}
