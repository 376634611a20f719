/// One process between clone and execve: its streams, identity and rights, as rows of a program, and the waiting for it.
package io.balena.engine.runtime.process;
