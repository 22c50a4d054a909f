#include "tests/sim/whole/sim_client.h"

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

#include "src/effects/command_stream.h"

namespace hearth::sim {
namespace {
constexpr std::int64_t kReplyPatience = 3000;
constexpr std::int64_t kRetryPause = 80;
constexpr const char* kWaitMs = "500";
}  // namespace

SimClient::SimClient(WholeCluster& cluster, int number, int families, Promise promise)
    : cluster_(cluster), promise_(promise) {
  for (int i = 0; i < families; ++i) tags_.push_back(fmt::format("c{}:{}", number, i));
}

void SimClient::next() {
  busy_ = false;
  if (stopped_) return;
  tag_ = tags_[cluster_.rng.below(tags_.size())];
  ask(choose());
}

void SimClient::write(Request& request, const std::string& key) {
  const long long number = ++number_;
  written_[number] = key;
  request.writes.push_back({request.commands.size(), key, number});
  request.commands.push_back({"SET", key, std::to_string(number)});
}

void SimClient::write_pair(Request& request) {
  const long long number = ++number_;
  written_[number] = key("a");
  request.commands.push_back({"MULTI"});
  for (const char* name : {"a", "b"}) {
    request.commands.push_back({"SET", key(name), std::to_string(number)});
    request.writes.push_back({request.commands.size(), key(name), number});
  }
  request.commands.push_back({"EXEC"});
  for (Access& access : request.writes) access.reply = request.commands.size() - 1;
}

SimClient::Request SimClient::choose() {
  Request request;
  Rng& rng = cluster_.rng;
  switch (rng.below(8)) {
    case 0:
    case 1:
      request.reads.push_back({0, key("x"), 0});
      request.commands.push_back({"GET", key("x")});
      break;
    case 2:
      request.pair_read = 0;
      request.commands.push_back({"MGET", key("a"), key("b")});
      break;
    case 3:
    case 4: write_pair(request); break;
    case 5: {  // a pipeline that reads what it has written
      for (std::uint64_t n = 1 + rng.below(6); n > 0; --n)
        write(request, key(rng.chance(0.5) ? "x" : "y"));
      const Access last = request.writes.back();
      request.reads.push_back({request.commands.size(), last.key, last.number});
      request.commands.push_back({"GET", last.key});
      break;
    }
    default: write(request, key("x")); break;
  }
  return request;
}

// Where the keys' owner is thought to be.
void SimClient::ask(Request request) {
  request_ = std::move(request);
  replies_ = 0;
  failed_ = redirected_ = false;
  busy_ = true;
  if (!request_.is_wait) {
    if (!owner_.contains(tag_)) {
      owner_[tag_] =
          static_cast<int>(cluster_.rng.below(static_cast<std::uint64_t>(cluster_.size())));
    }
    if (connection_ == 0 || node_ != owner_[tag_]) {
      drop_connection();
      node_ = owner_[tag_];
      connection_ = cluster_.connect_client(node_, *this);
      parser_ = std::make_unique<ReplyParser>();
      if (connection_ == 0) return retry();
    }
  }
  std::string bytes;
  for (const auto& words : request_.commands)
    append_command(std::span<const std::string>(words), bytes);
  cluster_.send(connection_, std::move(bytes));
  cluster_.later(kReplyPatience, [this, mine = ++count_] {
    if (mine == count_ && busy_) retry();
  });
}

void SimClient::drop_connection() {
  if (connection_ != 0) cluster_.disconnect(std::exchange(connection_, 0));
  unconfirmed_.clear();
}

// Somebody else may know.
void SimClient::retry() {
  drop_connection();
  ++count_;
  if (!redirected_) owner_.erase(tag_);
  busy_ = false;
  cluster_.later(kRetryPause, [this, mine = count_] {
    if (mine == count_ && !busy_) next();
  });
}

void SimClient::closed(std::uint64_t connection) {
  if (connection != connection_) return;
  connection_ = 0;
  unconfirmed_.clear();
  if (busy_) retry();
}

void SimClient::received(std::uint64_t connection, const std::string& bytes) {
  if (connection != connection_) return;
  parser_->feed(bytes);
  while (connection == connection_ && busy_) {
    const auto reply = parser_->next();
    if (!reply) return violation("a node answers what is no RESP");
    if (!*reply) return;
    on_reply(**reply);
  }
}

void SimClient::on_reply(const RespValue& reply) {
  const std::size_t index = replies_++;
  if (reply.is_error()) {
    on_error(reply.text());
  } else if (request_.is_wait) {
    if (reply.integer() > 0) {
      for (const auto& [key, number] : unconfirmed_) confirmed_[key] = number;
      unconfirmed_.clear();
    }
  } else if (index == request_.pair_read) {
    check_read(key("a"), reply.items()[0], 0);
    if (!(reply.items()[0] == reply.items()[1])) {
      violation(fmt::format("the pair of {} is {} and {}", tag_, reply.items()[0].text(),
                            reply.items()[1].text()));
    }
  } else {
    acknowledge(index);
    for (const Access& read : request_.reads) {
      if (read.reply == index) check_read(read.key, reply, failed_ ? 0 : read.number);
    }
  }
  if (replies_ == request_.commands.size()) answered();
}

void SimClient::acknowledge(std::size_t reply) {
  for (const Access& write : request_.writes) {
    if (write.reply != reply) continue;
    ++writes_;
    acked_[write.key] = unconfirmed_[write.key] = write.number;
  }
}

void SimClient::on_error(std::string_view text) {
  failed_ = true;
  if (!text.starts_with("MOVED")) return;
  const std::size_t host = text.find(' ', 6) + 1;
  const std::string_view ip = text.substr(host, text.rfind(':') - host);
  for (int i = 0; i < cluster_.size(); ++i) {
    if (cluster_.node(i).ip != ip) continue;
    owner_[tag_] = i;
    redirected_ = true;
  }
}

void SimClient::answered() {
  busy_ = false;
  if (failed_) {
    if (!redirected_) return retry();
    return next();
  }
  if (request_.is_wait || request_.writes.empty()) return next();
  Request wait;
  wait.is_wait = true;
  wait.commands.push_back({"WAIT", "1", kWaitMs});
  ask(std::move(wait));
}

void SimClient::check_read(const std::string& key, const RespValue& found, long long exactly) {
  const long long number = found.is_null() ? 0 : std::atoll(std::string(found.text()).c_str());
  const auto& promises = promised();
  const auto promise = promises.find(key);
  if (promise != promises.end() && number < promise->second)
    violation(fmt::format("{} = {}, promised was {}", key, number, promise->second));
  if (exactly != 0 && number != exactly)
    violation(fmt::format("{} = {} right after {} was written", key, number, exactly));
  if (number == 0) return;
  const auto written = written_.find(number);
  if (written == written_.end() || written->second != key)
    violation(fmt::format("{} = {}, which was never written there", key, number));
}

void SimClient::violation(std::string what) {
  violations_.push_back(fmt::format("at {} ms node {}: {}", cluster_.now_ms(), node_, what));
}

}  // namespace hearth::sim
