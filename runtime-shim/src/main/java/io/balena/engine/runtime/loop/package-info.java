/// The one thread of the shim that waits for everything, and those that do for it what would keep it waiting.
package io.balena.engine.runtime.loop;
