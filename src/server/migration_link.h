// MigrationLink: carries MIGRATE's keys to other servers.
//
// A job runs on a channel, which is a ByteStream: connect, send the preamble (AUTH, SELECT), and
// when that was accepted the commands, in pieces, reading the answers as they come. A job ends with
// an error when nothing moves for its timeout. A channel whose job came to its end is kept for ten
// seconds, at most 64 of them, for the next job to the same address with the same preamble: moving
// a slot is many small jobs. One thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "src/command/migration_control.h"
#include "src/stream/byte_stream.h"

namespace hearth {

class MigrationLink final : public MigrationControl {
 public:
  // before_done runs before a job's completion, which changes data: it brings the engine's time up
  // to date. Nothing is opened before start().
  MigrationLink(StreamOpener& opener, std::function<void()> before_done);
  ~MigrationLink() override;
  MigrationLink(const MigrationLink&) = delete;
  MigrationLink& operator=(const MigrationLink&) = delete;

  void start(Job job, std::function<void(JobResult)> done) override;
  [[nodiscard]] std::uint64_t cached_connections() const override;
  // Drops all jobs without completing them.
  void stop();

 private:
  struct Work;
  class Channel;

  void start_on_new_channel(std::unique_ptr<Work> work);

  void drop(const Channel* channel);

  StreamOpener& opener_;
  std::function<void()> before_done_;
  std::vector<std::unique_ptr<Channel>> channels_;
};

}  // namespace hearth
