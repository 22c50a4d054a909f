// A client of a simulated cluster: it follows redirects, writes and reads its own keys, alone, in
// pipelines and in transactions, and knows what was acknowledged.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/proto/reply_parser.h"
#include "tests/sim/whole/whole_cluster.h"

namespace hearth::sim {

// Each family of keys has one slot: two registers, and a pair that is only written together. Every
// write has a number of its own, greater than all before, and nobody else writes the keys. So a
// read that finds a smaller number than was promised to stay, a number that was never written
// there, or a pair with two numbers, is a violation.
class SimClient final : public Listener {
 public:
  // kConfirmed: a write is promised to stay when WAIT has told of a replica. kAcknowledged: as soon
  // as it is answered (min-replicas-to-ack).
  enum class Promise : std::uint8_t { kConfirmed, kAcknowledged };

  SimClient(WholeCluster& cluster, int number, int families, Promise promise = Promise::kConfirmed);
  void start() { next(); }
  void stop() { stopped_ = true; }
  // Key -> the number that is promised to stay.
  [[nodiscard]] const std::map<std::string, long long>& promised() const {
    return promise_ == Promise::kConfirmed ? confirmed_ : acked_;
  }
  [[nodiscard]] const std::map<std::string, long long>& acknowledged() const { return acked_; }
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] long long writes() const { return writes_; }

  void received(std::uint64_t connection, const std::string& bytes) override;
  void closed(std::uint64_t connection) override;

 private:
  struct Access {
    std::size_t reply = 0;  // of the request's replies
    std::string key;
    long long number = 0;  // written; of a read the one that it must find, 0: any that may be there
  };
  struct Request {
    std::vector<std::vector<std::string>> commands;
    std::vector<Access> writes, reads;
    std::size_t pair_read = SIZE_MAX;  // the reply with both
    bool is_wait = false;
  };

  void next();
  [[nodiscard]] Request choose();
  void write(Request& request, const std::string& key);
  void write_pair(Request& request);
  void ask(Request request);
  void on_reply(const RespValue& reply);
  void on_error(std::string_view text);
  void answered();
  void acknowledge(std::size_t reply);
  void check_read(const std::string& key, const RespValue& found, long long exactly);
  void violation(std::string what);
  void retry();
  void drop_connection();
  [[nodiscard]] std::string key(const char* name) const { return "{" + tag_ + "}" + name; }

  WholeCluster& cluster_;
  Promise promise_;
  std::vector<std::string> tags_;
  std::map<std::string, long long> confirmed_, acked_;
  std::map<std::string, int> owner_;              // tag -> node
  std::map<long long, std::string> written_;      // number -> key, if it was ever sent
  std::map<std::string, long long> unconfirmed_;  // for the next WAIT
  std::vector<std::string> violations_;
  std::string tag_;
  long long number_ = 0;
  long long writes_ = 0;
  Request request_;
  std::size_t replies_ = 0;
  bool failed_ = false;      // some reply was an error
  bool redirected_ = false;  // and told where to go
  std::uint64_t connection_ = 0;
  int node_ = -1;
  bool busy_ = false;
  std::uint64_t count_ = 0;  // of requests, for time-outs
  std::unique_ptr<ReplyParser> parser_;
  bool stopped_ = false;
};

}  // namespace hearth::sim
