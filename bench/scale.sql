-- What bench/scale.py fills the tables with; {size}, {sites} and {hosts} are its numbers.
-- Row n is a link to one of our blogs, a link from it, and the job of one of them. A blog's rows lie far from each other;
-- every tenth row is the big blog's, and every tenth claim is about one pair that is told again and again.

CREATE FUNCTION digest(a text, b text DEFAULT NULL, c text DEFAULT NULL) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT encode(sha256(convert_to(a, 'UTF8')
    || coalesce('\x00'::bytea || convert_to(b, 'UTF8'), '')
    || coalesce('\x00'::bytea || convert_to(c, 'UTF8'), '')), 'hex')
$$;

CREATE FUNCTION utc() RETURNS timestamp LANGUAGE sql STABLE AS $$ SELECT timezone('utc', now()) $$;

CREATE TEMP TABLE filled AS
  SELECT *, digest(site) AS site_key, digest(site, source, page) AS key
  FROM (
    SELECT *, site || 'post/' || place / 20 AS page, site || 'out/' || place / 5 AS post,
      'https://' || host || '/in/' || n AS source, 'https://' || host || '/to/' || n AS target
    FROM (
      SELECT n, mod(n, 10) AS last, mod(n, 10) = 4 OR mod(n, 20) = 19 AS sends,
        'h' || mod(n * 2654435761, {hosts}) || '.example' AS host,
        CASE WHEN mod(n, 10) = 9 THEN n / 10 ELSE n / {sites} END AS place,
        'https://blog' || CASE WHEN mod(n, 10) = 9 THEN 0 ELSE mod(n * 7919, {sites}) END || '.example/' AS site
      FROM generate_series(1, {size}::bigint) AS n
    ) AS numbered
  ) AS linked;

INSERT INTO linkback_mentions (id, key, page_key, site, site_key, received, checked, source, target, title, author_name,
    author_url, author_photo, excerpt, kind, final_url, status, decided)
  SELECT n, key, digest(site, page), site, site_key, utc() - random() * interval '1 year', utc(), source, page,
    'A post that links here', 'Alice', 'https://' || host || '/', '', repeat('What it says about it. ', 10), 'reply',
    source, CASE WHEN mod(n, 100) IN (1, 19) THEN 'pending' WHEN mod(n, 100) = 2 THEN 'rejected' ELSE 'approved' END, false
  FROM filled;

INSERT INTO linkback_mention_protocols (mention_id, position, protocol) SELECT n, 1, 'webmention' FROM filled;

INSERT INTO linkback_claims (id, public_id, site, key, page, received, open, checked, protocol, source, target, title,
    excerpt, blog_name, endpoint, state)
  SELECT n, md5(n::text), site, CASE WHEN last = 8 THEN first_value(key) OVER (PARTITION BY last ORDER BY n) ELSE key END,
    page, utc() - random() * interval '1 year', last = 3, utc(), 'webmention', source, page, '', '', '', '',
    CASE WHEN last = 3 THEN 'queued' ELSE 'success' END
  FROM filled;

INSERT INTO linkback_posts (key, site, url, content, changed, gone)
  SELECT DISTINCT ON (post) digest(site, post), site, post, md5(post), utc(), false FROM filled;

INSERT INTO linkback_deliveries (id, key, source_key, site, source, target, attempts, cause, told, revision, owed,
    outcome, detail, status_url, again)
  SELECT n, digest(site, post, target), digest(post), site, post, target, 0, 'new', 'webmention', 1, utc(),
    CASE WHEN sends THEN 'queued' ELSE 'accepted' END, '', '', 0
  FROM filled;

-- what is to be sent has been due longest, all at one moment; most mentions are looked at again some day to come
INSERT INTO linkback_jobs (id, site, site_key, kind, subject, due, attempts, leases)
  SELECT n, site, site_key, CASE WHEN sends THEN 'deliver' ELSE 'check' END,
    CASE WHEN sends THEN n::text ELSE key END,
    CASE
      WHEN n <= 20 THEN NULL
      WHEN sends THEN utc() - interval '2 hours'
      WHEN last IN (3, 9) THEN utc() - interval '1 hour' * random()
      ELSE utc() + interval '1 day' * (1 + 29 * random())
    END, 1, 1
  FROM filled;

INSERT INTO linkback_hosts (key, host, next_slot, free_at)
  SELECT digest(name), name, utc() - interval '1 day', utc() - interval '1 day'
  FROM (SELECT way || 'h' || n || '.example' AS name FROM generate_series(0, {hosts} - 1) AS n,
    unnest(ARRAY['', 'from ']) AS way) AS named;

SELECT setval('linkback_claims_id_seq', {size}), setval('linkback_mentions_id_seq', {size}),
  setval('linkback_deliveries_id_seq', {size}), setval('linkback_jobs_id_seq', {size});
DROP TABLE filled
