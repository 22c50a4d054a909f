// Where encoded rows go: a cluster, a server, or nowhere.
#pragma once

#include "src/base/result.h"
#include "src/base/time.h"
#include "tools/client/client.h"

namespace hearth::warm {

class RowSink {
 public:
  virtual ~RowSink() = default;
  // Takes a write; its fate is told to the CompletionSink, now or later. Blocks while the target is
  // slower than the source. Errors: the target failed for good, or kBusy (interrupted).
  virtual Result<void> put(const client::Operation& operation) = 0;
  // Sends what is collected and lets answers in for `wait`.
  virtual Result<void> idle(milliseconds wait) = 0;
  // Waits until every write has an answer, at most `limit` long.
  virtual Result<void> finish(std::optional<milliseconds> limit) = 0;
};

// Counts and forgets: measures the loader itself.
class NullSink final : public RowSink {
 public:
  explicit NullSink(client::CompletionSink& fates) : fates_(fates) {}
  Result<void> put(const client::Operation& operation) override {
    fates_.on_done(operation.tag);
    return {};
  }
  Result<void> idle(milliseconds wait) override;
  Result<void> finish(std::optional<milliseconds>) override { return {}; }

 private:
  client::CompletionSink& fates_;
};

class ClusterSink final : public RowSink {
 public:
  explicit ClusterSink(client::Client& client) : client_(client) {}
  Result<void> put(const client::Operation& operation) override {
    return client_.submit(operation);
  }
  Result<void> idle(milliseconds wait) override;
  Result<void> finish(std::optional<milliseconds> limit) override { return client_.drain(limit); }

 private:
  client::Client& client_;
};

}  // namespace hearth::warm
