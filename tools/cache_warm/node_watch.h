// Looks at the servers of the target while a load runs: who they are, what they evict, how full
// they are and how fast they answer.
#pragma once

#include <atomic>
#include <bitset>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tools/cache_warm/job.h"
#include "tools/cache_warm/node_info.h"
#include "tools/cache_warm/node_streams.h"
#include "tools/cache_warm/pacer.h"
#include "tools/client/client.h"

namespace hearth::warm {

class NodeWatch {
 public:
  // `options`: those of the load's clients. Connections of its own, one to each node.
  NodeWatch(client::DispatcherOptions options, const Clock& clock,
            std::vector<client::Endpoint> nodes);
  ~NodeWatch();
  NodeWatch(const NodeWatch&) = delete;
  NodeWatch& operator=(const NodeWatch&) = delete;

  // Looks at these nodes from now on, at those that are known by the same connections.
  void watch(std::vector<client::Endpoint> nodes);
  // Looks at every node once. What may not be asked stays unknown.
  void look();
  // Looks until `stop` turns true. Sets the rate of the job when `adapts`, stops the job before
  // memory runs out, and tells the nodes of the progress when `reports`.
  void run(Job& job, const std::atomic<bool>& stop, bool adapts, bool reports);

  // Sends a command to every node. The first error, naming the node, if one refused it.
  Result<void> tell_all(std::initializer_list<std::string_view> command);

  // Tells every node how far the load of each mapping is, and which mappings are done. The last one
  // is done when the load is over: until then it may turn out that a node lost keys. The first
  // error, if a node takes no such reports; they end then.
  enum class LoadPhase : std::uint8_t { kBegins, kRuns, kOver };
  Result<void> tell_progress(const Job& job, LoadPhase phase);
  // Keys that the nodes say are used most, of all nodes together; none where they don't know.
  [[nodiscard]] std::vector<std::string> hot_keys(std::size_t most_of_node);

  // Keys evicted since the first look.
  [[nodiscard]] std::uint64_t evicted() const;
  // Whether INFO could be asked for.
  [[nodiscard]] bool knows_nodes() const;
  // Whether a node refuses INFO, or does not tell of its stream: nothing can be said of what it
  // lost then.
  [[nodiscard]] bool hides_streams() const;
  // Every node, if each answered the last look as a primary; `slots` says what one owns. Nothing
  // if one did not.
  using SlotsOf = std::function<std::uint64_t(const client::Endpoint&)>;
  [[nodiscard]] std::optional<std::vector<SlotOwner>> owners(const SlotsOf& slots) const;
  // judge(), with a look at those nodes of the anchors that own nothing any more.
  Verdict judge_streams(std::span<const Anchor> anchors, std::span<const SlotOwner> owners);
  // The first node that did not answer the last look as a primary; empty: all did.
  [[nodiscard]] std::string silent_node() const;
  // Bytes of room before maxmemory; nothing where a node has no limit or is not known.
  [[nodiscard]] std::optional<std::uint64_t> room_bytes() const;
  [[nodiscard]] bool evicts() const;
  // Whether some node had more to do, at the last look, than a few clients that look after it.
  [[nodiscard]] bool has_clients() const;

 private:
  class Silent final : public client::CompletionSink {
   public:
    void on_done(std::uint64_t) override {}
    void on_reply(std::uint64_t, RespValue) override {}
    void on_refused(std::uint64_t, std::string_view, std::string_view) override {}
  };
  struct Node {
    client::Endpoint endpoint;
    std::unique_ptr<client::Client> client;
    std::optional<NodeInfo> first;
    std::optional<NodeInfo> last;
    std::uint64_t evicted = 0;  // by earlier lives of the node
    bool has_answered = false;  // the last look
    bool refuses = false;       // INFO
  };
  void look_at(Node& node);
  [[nodiscard]] static std::uint64_t evicted_by(const Node& node);
  // Errors: of the connection.
  Result<RespValue> call(Node& node, std::initializer_list<std::string_view> command);
  // Nothing for an error of either kind.
  std::optional<RespValue> ask(Node& node, std::initializer_list<std::string_view> command);
  void ping_some(Pacer& pacer);
  void check_memory(Job& job) const;

  client::DispatcherOptions options_;
  const Clock& clock_;
  std::atomic<bool> never_{false};
  const std::atomic<bool>* stop_ = &never_;
  Silent silent_;
  std::vector<Node> nodes_;
  std::size_t next_ping_ = 0;
  std::uint64_t evicted_before_ = 0;  // by nodes that are not watched any more
  bool takes_reports_ = true;
  std::vector<bool> ready_;  // of each mapping: the nodes were told so
};

}  // namespace hearth::warm
