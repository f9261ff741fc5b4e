import { expect, it } from 'vitest';
import { parseResult } from '../../src/core/launcher/result.ts';

const good = '{"status": "success", "summary": "did it"}';
const utf16 = (text: string): Buffer => Buffer.from(`\ufeff${text}`, 'utf16le');

it.each<[string, string | Buffer]>([
  ['as asked', good],
  ['a byte-order mark', `\ufeff${good}`],
  ['a code fence', `\`\`\`json\n${good}\n\`\`\`\n`],
  ['a code fence without a name', `\`\`\`\n${good}\n\`\`\``],
  ['words after it', `${good}\nI've done all of it.`],
  ['words before it', `Here is the result:\n${good}`],
  ['a comma too many', '{"status": "success", "summary": "did it",}'],
  ['UTF-16', utf16(good)],
  ['UTF-16, the other order', utf16(good).swap16()],
  ['UTF-16 without a mark', Buffer.from(good, 'utf16le')],
  ['capitals', '{"status": "SUCCESS", "summary": "did it"}'],
  ['capitals of keys', '{"Status": "Success", "Summary": "did it"}'],
  ['single quotes', "{'status': 'success', 'summary': 'did it'}"],
  ['no quotes', '{status: success, summary: did it}'],
  ['a list of one', `[${good}]`],
  ['twice the same', `${good}\n${good}`],
  ['tabs', '{\n\t"status":\t"success",\n\t"summary": "did it"\n}'],
  ['an object without a status in front', `{"note": 1}\n${good}`],
])('%s', (_name, content) => {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  expect(parseResult(bytes)).toEqual({
    result: { status: 'success', summary: 'did it', rolledBack: null },
    trouble: null,
  });
});

it('reads other statuses, and whether it was rolled back', () => {
  expect(parseResult(Buffer.from('{"status":"Nothing to do"}')).result?.status).toBe('nothing_to_do');
  expect(parseResult(Buffer.from('{"status":"FAILED","rolled_back":true,}')).result).toEqual({
    status: 'failed',
    summary: '',
    rolledBack: true,
  });
});

it.each([
  ['', 'it is empty'],
  ['done', 'it holds no object with a status: done'],
  ['{"summary":"x"}', 'it holds no object with a status: {"summary":"x"}'],
  ['{"status":"merged"}', 'its status is "merged", none of success, failed, nothing_to_do'],
  ['{"status":true}', 'its status is true, none of success, failed, nothing_to_do'],
  ['{"status":"success"}\n{"status":"failed"}', 'it holds more than one status'],
  ['{"Status":"failed","status":"success"}', 'it holds more than one status'],
  [
    '{"status":"failed","status":"success"}',
    'it holds no object with a status: {"status":"failed","status":"success"}',
  ],
  ['{status: success, status: failed}', 'it holds no object with a status: {status: success, status: failed}'],
  ['{"status": "succ', 'it holds no object with a status: {"status": "succ'],
])('%j cannot be read, and says why', (text, trouble) => {
  expect(parseResult(Buffer.from(text))).toEqual({ result: null, trouble });
});
