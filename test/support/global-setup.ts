/** Runs once before all test files: what they share is made here. */
export default function setup(): void {}
