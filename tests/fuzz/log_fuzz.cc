// An append-only log of unknown origin: it is replayed as far as it is one, whatever its commands
// are, and the data that it makes survives being written as the base of a log, in commands.
#include <cstdint>
#include <memory>
#include <string>

#include "persistence/aof/base.h"
#include "persistence/aof/replay.h"
#include "src/base/check.h"
#include "src/store/digest.h"
#include "tests/fuzz/text_file.h"
#include "tests/support/engine_fixture.h"

namespace {

using namespace hearth;
using hearth::test::EngineFixture;
using hearth::test::TextFile;
using hearth::test::TextSink;

// Commands on data: what others do is not the log's to say.
bool is_about_data(const Command* command) {
  return command != nullptr &&
         (has(command->flags, Flag::kWrite) || command->full_name == "select" ||
          command->full_name == "multi" || command->full_name == "exec");
}

class Replayed {
 public:
  explicit Replayed(std::string_view bytes, bool must_succeed = false) {
    TextFile file(bytes);
    io::InputWindow window(file, "input");
    Session& session = server_.open();
    session.replaying = session.authenticated = true;
    std::uint64_t words_left = 5000;  // an input is small, what it asks for need not be
    aof::ReplayHandler handler;
    handler.run = [&](std::span<const std::string_view> words) -> Result<void> {
      if (words_left < words.size()) return fail(ErrorCode::kLimit, "enough");
      words_left -= must_succeed ? 0 : words.size();
      if (!is_about_data(server_.engine().services().commands->resolve(words))) return {};
      server_.engine().begin_replay();
      server_.engine().execute(session, words);
      server_.engine().end_replay();
      const std::string reply = EngineFixture::take(session);
      if (must_succeed) HEARTH_CHECK(reply.empty() || reply.front() != '-');
      return {};
    };
    handler.in_transaction = [&] { return session.in_multi; };
    handler.progress = [](std::uint64_t) { return Result<void>(); };
    const auto end = aof::replay(window, handler);
    if (must_succeed) HEARTH_CHECK(end && !end->cut_off);
    if (end) HEARTH_CHECK(end->whole_up_to <= bytes.size());
    server_.engine().close(session);
  }
  [[nodiscard]] const Keyspace& keyspace() { return server_.engine().keyspace(); }

 private:
  EngineFixture server_{{.config = {{"proto-max-bulk-len", "1mb"}}}};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Replayed first(std::string_view(reinterpret_cast<const char*>(data), size));
  if (first.keyspace().total_keys() == 0) return 0;
  TextSink base;
  HEARTH_CHECK(aof::write_base(first.keyspace(), {}, base).has_value());
  Replayed second(base.text, true);
  HEARTH_CHECK(digest_of(first.keyspace(), UnixMillis{0}).hex() ==
               digest_of(second.keyspace(), UnixMillis{0}).hex());
  return 0;
}
