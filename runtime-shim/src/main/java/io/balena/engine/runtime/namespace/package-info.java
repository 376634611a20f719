/// What a process sees as its own: the namespaces it gets, joins or shares, and whose ids count in them.
package io.balena.engine.runtime.namespace;
