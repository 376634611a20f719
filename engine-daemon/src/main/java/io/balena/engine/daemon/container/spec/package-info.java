/// Turns what users asked for into what the runtime is told: [io.balena.engine.runtime.spec.RuntimeSpec].
package io.balena.engine.daemon.container.spec;
