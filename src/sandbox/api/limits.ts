import { fail } from './errors.js';

/**
 * Twilio's actions per second: conversation creation and user and role writes count against the
 * service, everything else against its conversation; reads are not counted. Off unless configured.
 */
export class RateLimit {
  private second = 0;
  private readonly counts = new Map<string, number>();

  constructor(private readonly most: number) {}

  count(service: string, conversation: string | undefined): void {
    if (this.most === 0) return;
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.second) {
      this.second = second;
      this.counts.clear();
    }
    const key = conversation ?? service;
    const count = (this.counts.get(key) ?? 0) + 1;
    this.counts.set(key, count);
    if (count > this.most) throw fail(conversation === undefined ? 50063 : 50074);
  }
}
