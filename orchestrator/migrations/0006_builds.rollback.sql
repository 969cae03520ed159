drop table built_slugs;
drop table build_caches;
