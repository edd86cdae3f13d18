import { configFromEnvironment } from './config.js';
import { startSandbox } from './server.js';

try {
  const config = configFromEnvironment();
  const sandbox = await startSandbox(config);
  const stop = (): void => void sandbox.stop().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.stdout.write(`sandbox listening on ${sandbox.baseUrl}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
