-- What left the disk because its time was over. The facts stay; `expired_at` says when they ended.
alter table files add column expired_at text;
alter table releases add column expired_at text;
