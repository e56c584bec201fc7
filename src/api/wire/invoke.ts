import { Type } from 'typebox';

export const HEADER_NAME = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$";

/** Of an invocation. */
export const HeaderMap = Type.Record(Type.String({ pattern: HEADER_NAME }), Type.String({ pattern: '^[^\\r\\n\\0]*$', maxLength: 8192 }));
