export interface Chat {
  /** Sends HTML to the configured chat; throws OrchError when it was not accepted within 5 s. */
  send(html: string): Promise<void>;
}
