// Messages of pgoutput: bytes written by hand after the documentation of their format.
#include "tools/warm_source/pgoutput.h"

#include <doctest/doctest.h>

#include "src/base/bytes.h"

using namespace hearth;
using namespace hearth::warm;

namespace {

class PgText {
 public:
  template <typename T>
  PgText& number(T value) {
    const T swapped = swap_bytes(value);
    bytes_.append(reinterpret_cast<const char*>(&swapped), sizeof swapped);
    return *this;
  }
  PgText& mark(char c) {
    bytes_.push_back(c);
    return *this;
  }
  PgText& name(std::string_view text) {
    bytes_.append(text);
    bytes_.push_back('\0');
    return *this;
  }
  PgText& value(char kind, std::string_view text) {
    mark(kind).number(static_cast<std::uint32_t>(text.size()));
    bytes_.append(text);
    return *this;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

std::string an_update() {
  PgText text;
  text.mark('U').number(std::uint32_t{77});
  text.mark('K').number(std::uint16_t{3}).value('b', "old").mark('n').mark('n');
  text.mark('N').number(std::uint16_t{3}).value('b', "new").mark('u').value('t', "");
  return text.bytes();
}

std::string a_relation() {
  PgText text;
  text.mark('R').number(std::uint32_t{77}).name("public").name("users").mark('d');
  text.number(std::uint16_t{2});
  text.mark('\1').name("id").number(std::uint32_t{23}).number(std::int32_t{-1});
  text.mark('\0').name("").number(std::uint32_t{25}).number(std::int32_t{7});
  return text.bytes();
}

}  // namespace

TEST_CASE("a transaction of pgoutput is read field by field") {
  PgMessage m;
  REQUIRE(parse_pgoutput(PgText()
                             .mark('B')
                             .number(std::uint64_t{0x16B374D848})
                             .number(std::int64_t{-5})
                             .number(std::uint32_t{4'000'000'000})
                             .bytes(),
                         m));
  CHECK(m.kind == PgMessageKind::kBegin);
  CHECK(m.position == 0x16B374D848);
  CHECK(m.time == -5);
  CHECK(m.transaction == 4'000'000'000);

  const std::string relation = a_relation();
  REQUIRE(parse_pgoutput(relation, m));
  CHECK(m.kind == PgMessageKind::kRelation);
  CHECK(m.relation == 77);
  CHECK(m.schema == "public");
  CHECK(m.table == "users");
  CHECK(m.identity == 'd');
  REQUIRE(m.columns.size() == 2);
  CHECK(m.columns[0].is_key);
  CHECK(m.columns[0].type == 23);
  CHECK(m.columns[1].name == "");
  CHECK(m.columns[1].modifier == 7);

  const std::string update = an_update();
  REQUIRE(parse_pgoutput(update, m));
  CHECK(m.kind == PgMessageKind::kUpdate);
  CHECK(m.old_kind == PgOldKind::kKey);
  REQUIRE(m.old_tuple.size() == 3);
  CHECK(m.old_tuple[0].bytes == "old");
  CHECK(m.old_tuple[2].kind == 'n');
  REQUIRE(m.new_tuple.size() == 3);
  CHECK(m.new_tuple[1].kind == 'u');
  CHECK(m.new_tuple[2].kind == 't');

  REQUIRE(parse_pgoutput(
      PgText().mark('D').number(std::uint32_t{77}).mark('O').number(std::uint16_t{0}).bytes(), m));
  CHECK(m.kind == PgMessageKind::kDelete);
  CHECK(m.old_kind == PgOldKind::kFull);

  REQUIRE(parse_pgoutput(PgText()
                             .mark('T')
                             .number(std::uint32_t{2})
                             .mark('\1')
                             .number(std::uint32_t{77})
                             .number(std::uint32_t{78})
                             .bytes(),
                         m));
  CHECK(m.kind == PgMessageKind::kTruncate);
  CHECK(m.relations == std::vector<std::uint32_t>{77, 78});

  REQUIRE(parse_pgoutput(PgText()
                             .mark('C')
                             .mark('\0')
                             .number(std::uint64_t{5})
                             .number(std::uint64_t{9})
                             .number(std::int64_t{1})
                             .bytes(),
                         m));
  CHECK(m.kind == PgMessageKind::kCommit);
  CHECK(m.position == 9);
}

TEST_CASE("a message that is cut off, too long or of another kind is an error and no crash") {
  for (const std::string& whole : {an_update(), a_relation()}) {
    PgMessage m;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      CHECK(!parse_pgoutput(std::string_view(whole).substr(0, size), m));
    }
    CHECK(!parse_pgoutput(whole + "x", m));
  }
  PgMessage m;
  CHECK(parse_pgoutput("Z", m).error().code == ErrorCode::kCorrupt);
  CHECK(parse_pgoutput("Sxxxxx", m).error().code == ErrorCode::kUnsupported);
  // More columns than a table can have, and a value that is longer than the message.
  CHECK(!parse_pgoutput(
      PgText().mark('I').number(std::uint32_t{1}).mark('N').number(std::uint16_t{60'000}).bytes(),
      m));
  CHECK(!parse_pgoutput(PgText()
                            .mark('I')
                            .number(std::uint32_t{1})
                            .mark('N')
                            .number(std::uint16_t{1})
                            .mark('t')
                            .number(std::uint32_t{0xffff'ffff})
                            .bytes(),
                        m));
}

TEST_CASE("the stream around the messages has data, keepalives and answers") {
  const std::string bytes = PgText()
                                .mark('w')
                                .number(std::uint64_t{1})
                                .number(std::uint64_t{2})
                                .number(std::int64_t{3})
                                .mark('B')
                                .bytes();
  const auto data = parse_pg_stream(bytes);
  REQUIRE(data);
  CHECK(data->server_end == 2);
  CHECK(data->payload == "B");
  const auto alive = parse_pg_stream(
      PgText().mark('k').number(std::uint64_t{7}).number(std::int64_t{0}).mark('\1').bytes());
  REQUIRE(alive);
  CHECK(alive->is_keepalive);
  CHECK(alive->wants_reply);
  CHECK(alive->server_end == 7);
  CHECK(!parse_pg_stream(""));
  CHECK(!parse_pg_stream("k123"));
  CHECK(!parse_pg_stream("w123"));
  const std::string status = pg_status_update(0x0102, -1);
  CHECK(status.size() == 34);
  CHECK(status.substr(0, 9) == std::string("r\0\0\0\0\0\0\1\2", 9));
}

TEST_CASE("positions are read and written as PostgreSQL does") {
  CHECK(pg_lsn_text(0x16B374D848) == "16/B374D848");
  CHECK(*parse_pg_lsn("16/B374D848") == 0x16B374D848);
  CHECK(*parse_pg_lsn("0/0") == 0);
  for (const char* wrong : {"", "/", "1", "1/", "/1", "1/123456789", "g/1", "1/1 "})
    CHECK_MESSAGE(!parse_pg_lsn(wrong), wrong);
}
