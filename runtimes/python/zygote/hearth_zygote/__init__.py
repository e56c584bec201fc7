"""The process that new Python sandboxes are forked from. docs/adr/0006-nursery.md says why; it runs no function's code."""
