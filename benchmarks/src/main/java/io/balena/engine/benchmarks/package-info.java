/// JMH benchmarks, run by `benchmarks/run`. Each has its yardstick beside it in the same run: what the machine's own tools
/// need for the same work. Ratios between the two are what counts; absolute times belong to one machine.
package io.balena.engine.benchmarks;
