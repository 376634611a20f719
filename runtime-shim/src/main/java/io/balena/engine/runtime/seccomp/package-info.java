/// Seccomp profiles, compiled to classic BPF.
package io.balena.engine.runtime.seccomp;
