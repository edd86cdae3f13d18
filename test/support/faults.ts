/** Ways in which a call to Twilio can go wrong once, and after which what was wished must still be done exactly once. */
export const FAULTS = {
  'the answer is lost after Twilio has acted': { type: 'reset-after' },
  'the connection is cut before Twilio acts': { type: 'reset-before' },
  'Twilio answers 500': { type: 'status', status: 500 },
  'Twilio answers 429': { type: 'status', status: 429, code: 20429 },
  'Twilio has acted and does not answer': { type: 'hang', applied: true },
  'Twilio does not answer': { type: 'hang', applied: false },
  'the change lands after the call was given up': { type: 'reset-before', applyAfterMs: 300 },
  'Twilio answers a conflict': { type: 'status', status: 409, code: 50391 },
} as const;
