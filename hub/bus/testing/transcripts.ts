/**
 * Conversations with a NATS server: what a client writes, for the differential test against a real nats-server
 * (max_payload 1000) and as golden answers where there is none. Order among several receivers of one message is the
 * server's own, so runs of MSG lines are compared sorted.
 */
export type Transcript = {
  readonly input: string
  /** After INFO, as nats-server 2.15.1 answers. */
  readonly output: string
  readonly closes?: boolean
}

const FULL = '{"verbose":false,"pedantic":false,"headers":true,"no_responders":true}'
const C = `CONNECT ${FULL}\r\n`
const with_ = (change: string): string => `CONNECT ${FULL.slice(0, -1)},${change}}\r\n`
const UNKNOWN = "-ERR 'Unknown Protocol Operation'\r\n"
const INVALID = "-ERR 'Invalid Subject'\r\n"
const OK = '+OK\r\n'
const PONG = 'PONG\r\n'

export const OPEN_TRANSCRIPTS: readonly Transcript[] = [
  { input: 'PING\r\n', output: PONG },
  { input: 'ping\r\nPoNg\r\n+OK\r\nPING\r\n', output: PONG + PONG },
  { input: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', output: UNKNOWN, closes: true },
  { input: 'FOO\r\n', output: UNKNOWN, closes: true },
  { input: 'PUB\r\n', output: UNKNOWN, closes: true },
  { input: 'PUB a\r\n', output: '', closes: true },
  { input: 'PUB a b c d\r\n', output: '', closes: true },
  { input: 'PUB a -1\r\n', output: '', closes: true },
  { input: 'PUB a 99999999999999999999\r\n', output: '', closes: true },
  { input: 'PUB a 3\r\nabcd\r\n', output: UNKNOWN, closes: true },
  { input: 'PUB a 3\r\nabcXY\r\nPING\r\n', output: UNKNOWN, closes: true },
  { input: 'PUB a 1001\r\n', output: "-ERR 'Maximum Payload Violation'\r\n", closes: true },
  { input: 'SUB\r\n', output: UNKNOWN, closes: true },
  { input: 'SUB a\r\n', output: '', closes: true },
  { input: 'SUB a b c d\r\n', output: '', closes: true },
  { input: 'SUB a. 1\r\nSUB a..b 1\r\nSUB .a 1\r\nSUB a.>.b 1\r\nPING\r\n', output: INVALID.repeat(4) + PONG },
  { input: 'SUB a.b>  1\r\nSUB  a   2  \r\nPING\r\n', output: OK + OK + PONG },
  { input: 'UNSUB\r\n', output: UNKNOWN, closes: true },
  { input: 'UNSUB 1\r\nUNSUB 1 x\r\nUNSUB 1 -2\r\nPING\r\n', output: OK.repeat(3) + PONG },
  { input: 'UNSUB 1 2 3\r\nPING\r\n', output: '', closes: true },
  {
    input: `${with_('"verbose":true')}SUB a 1\r\nPUB a 2\r\nhi\r\nUNSUB 1\r\nPING\r\n`,
    output: `${OK.repeat(3)}MSG a 1 2\r\nhi\r\n${OK}${PONG}`,
  },
  {
    input: `${C}SUB a.* 1\r\nSUB a.> 2\r\nSUB > 3\r\nSUB a.b 4\r\nPUB a.b 2\r\nhi\r\nPING\r\n`,
    output: `MSG a.b 1 2\r\nhi\r\nMSG a.b 2 2\r\nhi\r\nMSG a.b 3 2\r\nhi\r\nMSG a.b 4 2\r\nhi\r\n${PONG}`,
  },
  { input: `${C}SUB a.> 2\r\nPUB a.b.c r 0\r\n\r\nPUB a 0\r\n\r\nPING\r\n`, output: `MSG a.b.c 2 r 0\r\n\r\n${PONG}` },
  {
    input: `${C}SUB a 1\r\nUNSUB 1 2\r\nPUB a 1\r\n1\r\nPUB a 1\r\n2\r\nPUB a 1\r\n3\r\nPING\r\n`,
    output: `MSG a 1 1\r\n1\r\nMSG a 1 1\r\n2\r\n${PONG}`,
  },
  {
    input: `${C}SUB a 1\r\nPUB a 1\r\n1\r\nUNSUB 1 1\r\nPUB a 1\r\n2\r\nPING\r\n`,
    output: `MSG a 1 1\r\n1\r\n${PONG}`,
  },
  { input: `${with_('"echo":false')}SUB a 1\r\nPUB a 1\r\n1\r\nPING\r\n`, output: PONG },
  {
    input: `${C}SUB i.* 1\r\nPUB nobody i.1 2\r\nhi\r\nPING\r\n`,
    output: `HMSG i.1 1 38 38\r\nNATS/1.0 503\r\nNats-Subject: nobody\r\n\r\n\r\n${PONG}`,
  },
  { input: `${with_('"no_responders":false')}SUB i.* 1\r\nPUB nobody i.1 2\r\nhi\r\nPING\r\n`, output: PONG },
  {
    input: `${with_('"headers":false')}SUB i.* 1\r\nPING\r\n`,
    output: "-ERR 'no responders requires headers support'\r\n",
    closes: true,
  },
  {
    input: `${C}SUB a 1\r\nHPUB a 22 24\r\nNATS/1.0\r\nA: 1\r\nB:\r\n\r\nhi\r\nHPUB a r 12 12\r\nNATS/1.0\r\n\r\n\r\nPING\r\n`,
    output: `HMSG a 1 22 24\r\nNATS/1.0\r\nA: 1\r\nB:\r\n\r\nhi\r\nHMSG a 1 r 12 12\r\nNATS/1.0\r\n\r\n\r\n${PONG}`,
  },
  { input: `${C}HPUB a 30 20\r\n`, output: '', closes: true },
  { input: `${C}HPUB a x 3\r\n`, output: '', closes: true },
  { input: `${C}HPUB a 3\r\n`, output: '', closes: true },
  { input: 'CONNECT {}\r\nHPUB a 12 12\r\nNATS/1.0\r\n\r\n\r\nPING\r\n', output: OK, closes: true },
  { input: 'CONNECT {bad\r\n', output: '', closes: true },
  { input: 'CONNECT {"verbose":"x"}\r\nPING\r\n', output: '', closes: true },
  { input: 'CONNECT\r\nPING\r\n', output: '', closes: true },
  { input: 'CONNECT {}\r\nCONNECT {"verbose":true}\r\nPING\r\n', output: OK + OK + PONG },
  { input: 'CONNECT {"protocol":5}\r\nPING\r\n', output: "-ERR 'invalid client protocol'\r\n", closes: true },
  {
    input: 'CONNECT {"pedantic":true}\r\nPUB a..b 1\r\nx\r\nPUB a.* 1\r\nx\r\nPING\r\n',
    output: `${OK}${`-ERR 'Invalid Publish Subject'\r\n${OK}`.repeat(2)}${PONG}`,
  },
  { input: `${C}PUB a..b 1\r\nx\r\nPUB a.* 1\r\nx\r\nPING\r\n`, output: PONG },
  { input: 'SUB a 1\r\nSUB a 1\r\nPUB a 1\r\nx\r\nPING\r\n', output: `${OK.repeat(3)}MSG a 1 1\r\nx\r\n${PONG}` },
  {
    input: 'SUB a q 1\r\nSUB a q 2\r\nUNSUB 1\r\nPUB a 1\r\nx\r\nPING\r\n',
    output: `${OK.repeat(4)}MSG a 2 1\r\nx\r\n${PONG}`,
  },
  {
    input: `${C}SUB a q 1\r\nSUB a 2\r\nSUB a* 3\r\nSUB * 4\r\nPUB a 1\r\nx\r\nPUB a* 1\r\ny\r\nPING\r\n`,
    output: `MSG a 1 1\r\nx\r\nMSG a 2 1\r\nx\r\nMSG a 4 1\r\nx\r\nMSG a* 3 1\r\ny\r\nMSG a* 4 1\r\ny\r\n${PONG}`,
  },
  { input: `PUB ${'a'.repeat(5000)}`, output: "-ERR 'maximum control line exceeded'\r\n", closes: true },
  { input: 'X'.repeat(5000), output: UNKNOWN, closes: true },
  { input: 'SUB a 1\nPUB a 1\r\nx\r\nPING\n', output: `${OK + OK}MSG a 1 1\r\nx\r\n${PONG}` },
  { input: 'PUB\ta\t1 \r\nx\r\nPING\r\n', output: OK + PONG },
  { input: 'PINGX\r\nPING\r\n', output: PONG + PONG },
  { input: 'MSG a 1 1\r\nx\r\n', output: UNKNOWN, closes: true },
  { input: 'INFO {}\r\nPING\r\n', output: PONG },
  { input: "-ERR 'foo'\r\nPING\r\n", output: '', closes: true },
  { input: 'SUB a\u00e9 1\r\nPUB a\u00e9 1\r\nx\r\nPING\r\n', output: `${OK + OK}MSG a\u00e9 1 1\r\nx\r\n${PONG}` },
]

const LOGIN = with_('"user":"a","pass":"b"')
const DENIED = "-ERR 'Authorization Violation'\r\n"
const violation = (what: string): string => `-ERR 'Permissions Violation for ${what}'\r\n`

/** For user a, password b: publish `ok.>` and `x.*.y`, subscribe `ok.>` and `x.*`. */
export const GUARDED_TRANSCRIPTS: readonly Transcript[] = [
  { input: 'PING\r\n', output: DENIED, closes: true },
  { input: 'PUB a 1\r\nx\r\n', output: DENIED, closes: true },
  { input: 'CONNECT {"user":"a","pass":"c"}\r\nPING\r\n', output: DENIED, closes: true },
  { input: 'CONNECT {"verbose":true}\r\nPING\r\n', output: DENIED, closes: true },
  {
    input: `${LOGIN}PUB bad 1\r\nx\r\nPUB ok.a 1\r\nx\r\nPUB x.b.y 1\r\nx\r\nPING\r\n`,
    output: violation('Publish to "bad"') + PONG,
  },
  {
    input: `${LOGIN}SUB bad 1\r\nSUB ok.> 2\r\nSUB > 3\r\nSUB bad q 7\r\nSUB *.* 8\r\nPUB ok.1 1\r\nz\r\nPING\r\n`,
    output: `${violation('Subscription to "bad"')}${violation('Subscription to ">"')}${violation('Subscription to "bad" using queue "q"')}${violation('Subscription to "*.*"')}MSG ok.1 2 1\r\nz\r\n${PONG}`,
  },
  {
    input: `${LOGIN}HPUB bad 12 12\r\nNATS/1.0\r\n\r\n\r\nSUB ok.* q 2\r\nPUB ok.a 0\r\n\r\nPING\r\n`,
    output: `${violation('Publish to "bad"')}MSG ok.a 2 0\r\n\r\n${PONG}`,
  },
]

/** Where we are stricter on purpose: our answer, then nats-server's. */
export const STRICTER: readonly { input: string; ours: string; theirs: string; why: string }[] = [
  {
    input: `${LOGIN}SUB x.> 5\r\nPING\r\n`,
    ours: violation('Subscription to "x.>"') + PONG,
    theirs: PONG,
    why: 'nats-server takes ">" for a token that "*" allows, and then delivers x.b.y',
  },
  {
    input: `${LOGIN}PUB ok.1 not.mine 1\r\nz\r\nPING\r\n`,
    ours: violation('Publish with Reply of "not.mine"') + PONG,
    theirs: PONG,
    why: 'the hub answers with its own rights, so a reply is as good as a publish',
  },
]
