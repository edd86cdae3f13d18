import { describe, expect, it } from 'vitest';
import { isPrivateAddress, outboundUrlProblem } from './outbound-url.js';

describe('outboundUrlProblem', () => {
  it.each([
    'https://login.example.com/keys',
    'https://login.example.com:8443/keys?v=1',
    'HTTPS://LOGIN.EXAMPLE.COM',
    'https://8.8.8.8/keys',
    'https://[2606:4700:4700::1111]/keys',
  ])('lets %s be fetched', (url) => {
    expect(outboundUrlProblem(url, [])).toBeNull();
  });

  it.each([
    'http://login.example.com/keys',
    'ftp://login.example.com/keys',
    'file:///etc/passwd',
    'login.example.com/keys',
    '/keys',
    '//login.example.com/keys',
    '',
    'https://',
    'https://user@login.example.com/keys',
    'https://:secret@login.example.com/keys',
    'https://login.example.com/keys#a',
    'https://localhost/keys',
    'https://localhost./keys',
    'https://keys.localhost/keys',
    'https://127.0.0.1/keys',
    'https://0x7f.1/keys',
    'https://2130706433/keys',
    'https://10.1.2.3/keys',
    'https://172.31.0.1/keys',
    'https://192.168.1.1/keys',
    'https://169.254.169.254/latest/meta-data',
    'https://100.64.0.1/keys',
    'https://0.0.0.0/keys',
    'https://[::1]/keys',
    'https://[::ffff:127.0.0.1]/keys',
    'https://[fe80::1]/keys',
    'https://[fd00::1]/keys',
    'https://[64:ff9b::7f00:1]/keys',
    'https://[2002:7f00:1::]/keys',
    'https://[2001:0:7f00:1::]/keys',
    'https://[2001:db8::1]/keys',
    'https://[3fff::1]/keys',
    'https://[5f00::1]/keys',
    'https://[::ffff:0:127.0.0.1]/keys',
    'https://[64:ff9b:1::7f00:1]/keys',
    'https://[ff02::1]/keys',
    'https://192.0.2.1/keys',
    'https://192.88.99.1/keys',
    'https://198.18.0.1/keys',
    'https://198.51.100.1/keys',
    'https://203.0.113.1/keys',
    'https://224.0.0.1/keys',
    'https://255.255.255.255/keys',
    'https://127.0.0.1./keys',
    'https://0177.0.0.1/keys',
    'https://127.1/keys',
    'https://１２７.０.０.１/keys',
    'https://localhost%2e/keys',
    'https://LOCALHOST/keys',
  ])('refuses %s', (url) => {
    expect(outboundUrlProblem(url, [])).toEqual(expect.any(String));
  });

  it('lets allowed hosts in, by http too, on the port that was named or on any', () => {
    const allowed = ['localhost', '127.0.0.1:4020', '[::1]'];
    for (const url of [
      'http://localhost/keys',
      'http://localhost:1234/keys',
      'http://127.0.0.1:4020/keys',
      'https://127.0.0.1:4020/keys',
      'http://[::1]:8080/keys',
    ])
      expect(outboundUrlProblem(url, allowed), url).toBeNull();
    for (const url of [
      'http://127.0.0.1:4021/keys',
      'http://localhost.example.com/keys',
      'ftp://localhost/x',
    ])
      expect(outboundUrlProblem(url, allowed), url).not.toBeNull();
  });

  it('lets an allowed host in on the port that its scheme has, written or not', () => {
    const allowed = ['login.internal:443', '10.0.0.1:80'];
    for (const url of ['https://login.internal/keys', 'https://login.internal:443/', 'http://10.0.0.1/keys'])
      expect(outboundUrlProblem(url, allowed), url).toBeNull();
    for (const url of ['http://login.internal/keys', 'https://10.0.0.1/keys', 'https://10.0.0.1:8443/keys'])
      expect(outboundUrlProblem(url, allowed), url).not.toBeNull();
  });
});

describe('isPrivateAddress', () => {
  it('knows addresses, and takes no name for one', () => {
    expect(['127.0.0.1', '::1', '10.0.0.1'].map(isPrivateAddress)).toEqual([true, true, true]);
    expect(['8.8.8.8', '2606:4700:4700::1111', 'localhost'].map(isPrivateAddress)).toEqual([
      false,
      false,
      false,
    ]);
  });
});
