/// Logs of containers in Docker's forms, written and rotated without ever waiting.
package io.balena.engine.runtime.log;
