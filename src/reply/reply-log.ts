/** The part of a pino logger that the endpoint uses. */
export interface ReplyLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
