"""The tabs of the studio, a module each; `studio.server` says what one is."""
