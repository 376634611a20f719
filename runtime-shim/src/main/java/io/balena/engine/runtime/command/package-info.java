/// The command `balena-engine-runc`, with runc's verbs, flags and words.
package io.balena.engine.runtime.command;
