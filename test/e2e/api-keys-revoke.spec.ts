import { describe, expect, it } from 'vitest';
import { callerWith, keysOf, makeKey, otherService } from '../support/access.js';
import { useApp } from '../support/app.js';
import { expectProblem } from '../support/problems.js';

const running = useApp();

const path = '/v1/api-keys';

describe('DELETE /v1/api-keys/{id}', () => {
  it('204: revokes the key at once, and it is listed no more; 404 the next time', async () => {
    const { id, key } = await makeKey(running.api, ['admin']);
    const response = await running.api.delete(`${path}/${id}`, 204);
    expect(response.text).toBe('');
    await running.api.get('/v1/conversations', 401, { key });
    expect((await keysOf(running.api)).map((one) => one.id)).not.toContain(id);
    expectProblem(await running.api.delete(`${path}/${id}`, 404), 'not_found');
  });

  it('404: a key of another service is not there for an admin; an operator revokes it', async () => {
    const { admin } = await otherService(running.api);
    const { id, key } = await makeKey(admin, ['admin']);
    const here = await callerWith(running.api, 'admin');
    expectProblem(await here.delete(`${path}/${id}`, 404), 'not_found');
    await running.api.get('/v1/conversations', 200, { key });
    await running.api.delete(`${path}/${id}`, 204);
    await running.api.get('/v1/conversations', 401, { key });
  });

  it('204: of two keys that live side by side, the first is revoked and the second goes on', async () => {
    const [first, second] = [await makeKey(running.api, ['admin']), await makeKey(running.api, ['admin'])];
    for (const { key } of [first, second]) await running.api.get('/v1/conversations', 200, { key });
    await running.api.with(second.key).delete(`${path}/${first.id}`, 204);
    await running.api.get('/v1/conversations', 401, { key: first.key });
    await running.api.get('/v1/conversations', 200, { key: second.key });
  });

  it('204: a key revokes itself, also as the last admin; an operator makes another', async () => {
    const { id: serviceId, admin } = await otherService(running.api);
    const [last] = await keysOf(admin);
    await admin.delete(`${path}/${last?.id}`, 204);
    expectProblem(await admin.delete(`${path}/${last?.id}`, 401), 'unauthorized');
    const { key } = await makeKey(running.api, ['admin'], { serviceId });
    await running.api.get('/v1/conversations', 200, { key });
  });

  it("403: an admin does not revoke an operator's key, which an operator does", async () => {
    const { id, key } = await makeKey(running.api, ['operator']);
    const admin = await callerWith(running.api, 'admin');
    expectProblem(await admin.delete(`${path}/${id}`, 403), 'missing_scope');
    await running.api.get('/v1/services', 200, { key });
    await running.api.with(key).delete(`${path}/${id}`, 204);
    await running.api.get('/v1/services', 401, { key });
  });

  it('404: of many who revoke one key, one does', async () => {
    const { id } = await makeKey(running.api, ['tokens:mint']);
    const statuses = await Promise.all(
      Array.from({ length: 5 }, () =>
        running.api.delete(`${path}/${id}`, 204).then(
          () => 204,
          () => 404,
        ),
      ),
    );
    expect(statuses.sort()).toEqual([204, 404, 404, 404, 404]);
    expectProblem(await running.api.delete(`${path}/nobody`, 404), 'not_found');
  });
});
