// A cluster of bus machines under a simulated network, clock and disk, all driven by one seed.
//
// The network may lose, delay, reorder and duplicate messages and be partitioned; links break when
// a process dies. Messages travel as bytes, so the codec is part of every run. The disk keeps what
// a Persist wrote; a crash may come between any two actions of a step, so everything that was not
// persisted by then is lost, whatever was said already. Time is virtual: a minute costs
// milliseconds.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/bus/machine.h"
#include "cluster/model/message.h"
#include "cluster/model/view.h"
#include "cluster/nodes_file/nodes_store.h"
#include "src/base/random.h"
#include "tests/sim/checker.h"
#include "tests/support/mem_file_system.h"

namespace hearth::sim {

struct NetworkFaults {
  double loss = 0;
  double duplicate = 0;
  int delay_ms_min = 1;
  int delay_ms_max = 5;  // a wide range reorders
};

struct SimNode {
  int index = 0;
  std::string ip;
  std::uint16_t port = 6000;
  cluster::BusSettings settings;
  std::unique_ptr<cluster::Machine> machine;  // null: not running
  // nodes.conf is written through the port, so that a crash in the middle of a write is tried.
  test::MemFileSystem disk;
  std::unique_ptr<cluster::NodesStore> store;  // while it runs
  cluster::ViewPtr saving;                     // a write that is under way
  std::optional<cluster::View> durable;        // what the disk holds for certain
  int disk_delay_ms_min = 0;
  int disk_delay_ms_max = 3;
  std::int64_t clock_offset_ms = 0;  // of its wall clock
  double clock_rate = 1;             // of both of its clocks, since rate_since_ms
  std::int64_t rate_since_ms = 0;
  std::int64_t clock_lead_ms = 0;  // of both, at that time
  std::uint64_t life = 0;          // counts starts; events of older lives are void
  double crash_per_action = 0;
  bool disk_broken = false;  // for nodes.conf
  bool disk_full = false;    // for all
  // Its data, as far as the bus is told of it: while its primary is heard, a replica is where the
  // primary is.
  std::uint64_t offset = 0;
  bool is_warming = false;
  bool owes_replicas = false;
  bool replicates = true;             // false: the stream of its primary does not reach it
  std::string followed;               // "host:port", as the machine said; empty: nobody
  std::int64_t stream_heard_ms = -1;  // -1: never in this life
  bool writes_held = false;
  std::int64_t paused_until_ms = 0;  // the process stands still
  bool slept = false;                // and has not been told yet
  int group = 0;                     // partition; nodes of different groups do not hear each other
  cluster::ViewPtr view;             // as published
  cluster::SlotSet dropped;  // keys dropped by order of the machine, since the start of the life
  std::vector<std::string> delivered;  // "channel:message"
};

class SimCluster {
 public:
  explicit SimCluster(std::uint64_t seed,
                      std::chrono::milliseconds node_timeout = std::chrono::milliseconds{2000});
  virtual ~SimCluster() = default;
  SimCluster(const SimCluster&) = delete;
  SimCluster& operator=(const SimCluster&) = delete;

  // Adds a node that is not started. Its address is 10.0.0.<index+1>:6000.
  int add_node();
  SimNode& node(int i) { return *nodes_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] int size() const { return static_cast<int>(nodes_.size()); }
  void start(int i);
  void crash(int i);
  // The process stands still for so long, like one that is stopped by a signal.
  void pause(int i, std::int64_t ms) {
    node(i).paused_until_ms = now_ms_ + ms;
    node(i).slept = true;
  }
  void wipe(int i);
  // Replaces the nodes.conf of a node that does not run.
  void write_file(int i, const cluster::View& file);
  [[nodiscard]] bool is_up(int i) { return node(i).machine != nullptr; }

  void run_for(std::int64_t ms);
  // Runs until the condition holds, checked every 100 ms; false when `ms` passed before.
  bool run_until(std::int64_t ms, const std::function<bool()>& condition);
  [[nodiscard]] std::int64_t now_ms() const { return now_ms_; }
  // By all nodes, as messages of the bus.
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }

  cluster::AdminReply admin(int i, cluster::AdminRequest request);
  // The same as the server does it: nullopt, and `later` is called, where the disk comes first.
  using Later = std::function<void(const cluster::AdminReply&)>;
  std::optional<cluster::AdminReply> administer(int i, cluster::AdminRequest request, Later later);
  void feed(int i, const cluster::Input& input) { step(i, input); }
  void meet(int from, int to);
  void publish(int i, std::string channel, std::string message);
  void set_groups(const std::vector<int>& groups);
  // Bytes that the first one sends do not come to the second one any more.
  void cut(int from, int to) { cuts_.insert({from, to}); }
  void heal();
  // From now on a second of the node's clocks lasts 1/rate seconds. They never go back.
  void set_clock_rate(int i, double rate);
  // Until it is emptied, or the node starts anew.
  void fill_disk(int i, bool full);
  // Sends a made-up message from one node to another over the link between them.
  void inject(int from, int to, const cluster::Message& message);
  [[nodiscard]] cluster::MessageHeader header_of(int i);

  [[nodiscard]] cluster::ViewPtr view(int i);
  [[nodiscard]] NodeId id(int i);
  // Every running node is ok, has links to and from every other, nothing unsaved and no handshake,
  // and all agree on nodes, their addresses and roles, owners and epochs.
  [[nodiscard]] bool agrees_now();
  // The same for kStableMs already, without a change of epochs, owners or nodes; to be asked often.
  [[nodiscard]] bool is_converged();
  static constexpr std::int64_t kStableMs = 1500;
  // Owner of each slot as node i sees it, as the index of a node; -1 for none.
  [[nodiscard]] std::vector<int> owners(int i);
  // Admin-made cluster: all started nodes meet node 0, get epochs 1.. and equal shares.
  void create(const std::vector<int>& members);
  // Makes a started node, that the primary knows, its replica; by an administrator.
  cluster::AdminReply replicate(int i, int primary);
  // The node whose replica node i is, as node `by` sees it; -1: it is a primary, -2: unknown.
  [[nodiscard]] int primary_of(int by, int i);

  // The last lines of the log and every node's view: what to read when a test fails.
  [[nodiscard]] std::string story(std::size_t lines);

  NetworkFaults faults;
  Rng rng;
  Checker checker;
  std::vector<std::string> log;

 protected:
  // --- the rest of a node; here a number that stands for its data
  virtual void node_starts(int i);  // before its machine
  virtual void node_ended(int i) { static_cast<void>(i); }
  virtual void node_ticks(int i) { move_data(i); }
  virtual cluster::DataState data_of(int i);
  virtual void show(int i, const cluster::ViewPtr& view);
  virtual void follow(int i, const cluster::action::Follow& action);
  virtual void lead(int i) { node(i).followed.clear(); }
  virtual void hold_writes(int i, bool on) { node(i).writes_held = on; }
  virtual void drop_keys(int i, const cluster::SlotSet& slots);

  void at(std::int64_t delay_ms, std::function<void()> run);
  // Runs only if the node still lives the life it had when this was scheduled.
  void at_node(int i, std::int64_t delay_ms, std::function<void()> run);
  // Bytes get from the first to the second.
  [[nodiscard]] bool reaches(int from, int to) {
    return node(from).group == node(to).group && !cuts_.contains({from, to});
  }
  [[nodiscard]] bool can_hear(int a, int b) { return reaches(a, b) && reaches(b, a); }
  // Of the node's own clocks.
  [[nodiscard]] std::int64_t local_ms(int i);
  [[nodiscard]] std::int64_t delay();
  [[nodiscard]] cluster::Now clock(int i);
  // The node at an address; -1: none.
  [[nodiscard]] int node_at(const std::string& ip, int port);

 private:
  struct Event {
    std::int64_t at_ms = 0;
    std::uint64_t order = 0;
    std::function<void()> run;
    bool operator>(const Event& other) const {
      return std::pair(at_ms, order) > std::pair(other.at_ms, other.order);
    }
  };
  struct Wire {  // one TCP connection
    int from = 0;
    int to = 0;
    cluster::LinkId from_link = 0;
    cluster::LinkId to_link = 0;
    bool open = false;
  };

  struct Waiting {  // for the disk
    std::uint64_t save = 0;
    cluster::AdminReply reply;
    Later later;
  };

  std::optional<cluster::AdminReply> step(int i, const cluster::Input& input);
  void answer_waiting(int i, bool saved);
  void execute(int i, cluster::Actions actions);
  void do_persist(int i, const cluster::ViewPtr& view);
  void finish_persist(int i);
  void do_open(int i, const cluster::action::OpenLink& action);
  void do_close(int i, cluster::LinkId link);
  void do_send(int i, const cluster::action::Send& action);
  void transmit(const std::shared_ptr<Wire>& wire, bool forward, const std::string& frame);
  void tick(int i);
  // The node whose stream node i follows; -1: none that can be reached.
  [[nodiscard]] int stream_source(int i);
  void move_data(int i);

  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::set<std::pair<int, int>> cuts_;
  std::map<int, std::vector<Waiting>> waiting_;  // by node
  std::uint64_t reply_after_save_ = 0;           // of the last step
  std::map<std::pair<int, cluster::LinkId>, std::shared_ptr<Wire>> wires_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t next_order_ = 0;
  std::uint64_t bytes_sent_ = 0;
  cluster::LinkId next_inbound_ = 1;
  std::int64_t now_ms_ = 0;
  std::chrono::milliseconds node_timeout_;
  std::int64_t agreed_since_ms_ = -1;  // -1: they did not when last asked
  std::string agreed_on_;
};

}  // namespace hearth::sim
