/// Turns what users asked for into what the runtime is told: [io.balena.engine.runtime.RuntimeSpec].
package io.balena.engine.daemon.container.spec;
