/// A bundle's `config.json`: its words as records, and who reads them.
package io.balena.engine.runtime.spec;
